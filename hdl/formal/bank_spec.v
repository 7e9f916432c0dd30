// delta_bank, replaced by its specification, so that a table of 512 of them can be proved: it knows the join of the deltas
// accepted for the probed address and nothing of any other. formal/bank.sv proves the real delta_bank equal to this for
// every address.
`default_nettype none
module delta_bank #(
  parameter WIDTH = 64,
  parameter ADDRESS = 5,
  parameter LANE = 0
) (
  input  wire               clk,
  input  wire               rst,
  input  wire               accum,
  input  wire [ADDRESS-1:0] address,
  input  wire [WIDTH-1:0]   delta,
  input  wire [ADDRESS-1:0] read_address,
  output wire [WIDTH-1:0]   total,
  input  wire [ADDRESS-1:0] probe_address,
  output wire [WIDTH-1:0]   probe_total,
  output wire               probe_invariant
);
  reg  [WIDTH-1:0] spec, spec_1;
  reg              read_1;
  wire [WIDTH-1:0] folded;
  (* anyseq *) wire [WIDTH-1:0] elsewhere;
  delta_join #(.WIDTH(WIDTH), .LANE(LANE)) spec_join (
    .a(spec), .b((accum & address == probe_address) ? delta : {WIDTH{1'b0}}), .y(folded)
  );
  initial begin spec = 0; spec_1 = 0; read_1 = 1'b0; end
  always @(posedge clk) begin
    spec   <= folded;
    spec_1 <= spec;
    read_1 <= read_address == probe_address;
  end
  assign total = read_1 ? spec_1 : elsewhere;
  assign probe_total = spec;
  assign probe_invariant = 1'b1;
endmodule
