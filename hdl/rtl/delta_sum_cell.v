// delta_sum_cell: delta_cell for the add lane at a clock that a whole carry chain cannot keep: the word is cut into SLICES,
// and slice k works k clocks behind slice 0, with the carry that slice k-1 left in a register.
//
//   clock        t              t+1                       t+2
//   slice 0      operation 0    operation 1               operation 2
//   slice 1                     operation 0, carry of 0   operation 1, carry of 0
//
// Still one operation of any kind every clock, in the order of delta_cell (READ, SWAP, LOAD, ACCUM), and every one whole:
// each slice sees the same operations in the same order. `state` shows SLICES - 1 clocks after its clock.
//
// Invariant (formal/sum_cell.sv): state is the specification's of SLICES - 1 clocks ago.
`default_nettype none
module delta_sum_cell #(
  parameter WIDTH  = 64,
  parameter SLICES = 2
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
  // READ, and what SWAP returns, SLICES - 1 clocks later
  output wire [WIDTH-1:0] state
);
  localparam BITS = (WIDTH + SLICES - 1) / SLICES;

  genvar k;
  generate
    for (k = 0; k < SLICES; k = k + 1) begin : slice
      localparam LOW = k * BITS;
      localparam N   = (LOW + BITS <= WIDTH) ? BITS : WIDTH - LOW;
      // the operation of k clocks ago
      wire         reset, renew, keep, adds;
      wire [N-1:0] word, change;
      delta_delay #(.WIDTH(4 + 2 * N), .CLOCKS(k)) operation (
        .clk(clk),
        .now({rst, load | swap, swap_keep & ~load, accum, value[LOW +: N], delta[LOW +: N]}),
        .later({reset, renew, keep, adds, word, change})
      );

      reg  [N-1:0] reference, accumulator;
      reg          state_carry, folded_carry;
      wire         state_carry_in, folded_carry_in;
      wire [N-1:0] sum, folded;
      wire         sum_over, folded_over;
      if (k == 0) begin : lowest
        assign {state_carry_in, folded_carry_in} = 2'b00;
      end else begin : above
        assign {state_carry_in, folded_carry_in} = {slice[k-1].state_carry, slice[k-1].folded_carry};
      end
      // a bit below the lowest takes the carry in
      wire [N+1:0] wide_sum    = {1'b0, reference, 1'b1} + {1'b0, accumulator, state_carry_in};
      wire [N+1:0] wide_folded = {1'b0, accumulator & {N{~renew}}, 1'b1} + {1'b0, change & {N{adds}}, folded_carry_in};
      assign {sum_over, sum}       = wide_sum[N+1:1];
      assign {folded_over, folded} = wide_folded[N+1:1];

      always @(posedge clk) begin
        if (renew) reference <= keep ? sum : word;
        accumulator  <= folded;
        state_carry  <= sum_over;
        folded_carry <= folded_over;
        if (reset) begin
          reference   <= {N{1'b0}};
          accumulator <= {N{1'b0}};
        end
      end
      delta_delay #(.WIDTH(N), .CLOCKS(SLICES - 1 - k)) answer (.clk(clk), .now(sum), .later(state[LOW +: N]));
    end
  endgenerate
endmodule
`default_nettype wire
