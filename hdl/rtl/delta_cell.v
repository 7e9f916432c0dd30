// delta_cell: one context. state = reference (.) accumulator, all four operations, any of them in any clock.
//
// Operations given in one clock take effect in this order, and the result is that of doing them one after another:
//
//   READ    state is what it was before this clock            (always shown on `state`)
//   SWAP    returns that state; reference <- state (keep) or value; accumulator <- 0
//   LOAD    reference <- value; accumulator <- 0
//   ACCUM   accumulator <- accumulator (.) delta
//
//   load swap keep | reference'  accumulator'
//    0    0    -   | reference   accumulator (.) d       d = accum ? delta : 0
//    0    1    1   | state       0 (.) d = d
//    0    1    0   | value       d
//    1    -    -   | value       d
//
// Invariant (formal/cell.sv): state equals the specification's state, so an ACCUM beside a SWAP is never lost.
`default_nettype none
module delta_cell #(
  parameter WIDTH = 64,
  parameter LANE  = 0
) (
  input  wire             clk,
  input  wire             rst,
  // the reference side
  input  wire             load,
  input  wire             swap,
  input  wire             swap_keep,
  input  wire [WIDTH-1:0] value,
  // the delta side
  input  wire             accum,
  input  wire [WIDTH-1:0] delta,
  // READ, and what SWAP returns
  output wire [WIDTH-1:0] state
);
  reg [WIDTH-1:0] reference;
  reg [WIDTH-1:0] accumulator;

  wire             renew = load | swap;
  wire             keep  = swap_keep & ~load;
  wire [WIDTH-1:0] folded;

  delta_join #(.WIDTH(WIDTH), .LANE(LANE)) read_join (.a(reference), .b(accumulator), .y(state));
  delta_join #(.WIDTH(WIDTH), .LANE(LANE)) fold_join (
    .a(renew ? {WIDTH{1'b0}} : accumulator),
    .b(accum ? delta : {WIDTH{1'b0}}),
    .y(folded)
  );

  always @(posedge clk) begin
    if (renew) reference <= keep ? state : value;
    accumulator <= folded;
    if (rst) begin
      reference   <= {WIDTH{1'b0}};
      accumulator <= {WIDTH{1'b0}};
    end
  end
endmodule
`default_nettype wire
