// delta_bank: total is the join of every delta accepted for its address before that clock; none lost, none twice.
// The address is any one; the RAMs may return anything for a word that is written as it is read.
`default_nettype none
module bank_proof #(
  parameter WIDTH = 64,
  parameter ADDRESS = 5,
  parameter LANE = 0
) (
  input wire               clk,
  input wire               accum,
  input wire [ADDRESS-1:0] address, read_address,
  input wire [WIDTH-1:0]   delta
);
  (* anyconst *) reg [ADDRESS-1:0] probed;
  wire [WIDTH-1:0] total, probe_total;
  wire invariant;
  delta_bank #(.WIDTH(WIDTH), .ADDRESS(ADDRESS), .LANE(LANE)) dut (
    .clk(clk), .rst(1'b0), .accum(accum), .address(address), .delta(delta), .read_address(read_address), .total(total),
    .probe_address(probed), .probe_total(probe_total), .probe_invariant(invariant)
  );

  reg  [WIDTH-1:0] spec, spec_1;
  reg              read_1, started;
  wire [WIDTH-1:0] folded;
  delta_join #(.WIDTH(WIDTH), .LANE(LANE)) spec_join (
    .a(spec), .b((accum & address == probed) ? delta : {WIDTH{1'b0}}), .y(folded)
  );
  initial begin spec = 0; spec_1 = 0; read_1 = 1'b0; started = 1'b0; end
  always @(posedge clk) begin
    spec <= folded;
    spec_1 <= spec;
    read_1 <= read_address == probed;
    started <= 1'b1;
  end
  always @* begin
    assert (invariant);
    assert (spec == probe_total);
    if (started & read_1) assert (total == spec_1);
  end
  always @* cover (started && read_1 && total != 0 && accum && address == probed);
endmodule
