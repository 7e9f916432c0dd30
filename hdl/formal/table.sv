// delta_table: every result is the state of the specification in the clock of its command; every delta of every port is
// in the state from the next clock on. The invariant is in rtl/delta_table.v; here it is shown to hold at the start and
// to be kept by every clock.
`default_nettype none
module table_proof #(
  parameter WIDTH = 8,
  parameter ADDRESS = 2,
  parameter PORTS = 2,
  parameter LANE = 0
) (
  input wire                     clk,
  input wire                     rst,
  input wire [PORTS-1:0]         accum,
  input wire [PORTS*ADDRESS-1:0] accum_address,
  input wire [PORTS*WIDTH-1:0]   accum_delta,
  input wire                     load, read, swap, keep,
  input wire [ADDRESS-1:0]       address,
  input wire [WIDTH-1:0]         value
`ifdef STEP
  , input  wire [ADDRESS-1:0]    probed,
  output wire                    broken
`endif
);
  wire result_valid, invariant;
  wire [WIDTH-1:0] result;
`ifndef STEP
  (* anyconst *) reg [ADDRESS-1:0] probed;
`endif
  delta_table #(.WIDTH(WIDTH), .ADDRESS(ADDRESS), .PORTS(PORTS), .LANE(LANE)) dut (
    .clk(clk), .rst(1'b0),
    .accum(accum), .accum_address(accum_address), .accum_delta(accum_delta),
    .load(load), .read(read), .swap(swap), .swap_keep(keep), .address(address), .value(value),
    .result_valid(result_valid), .result(result),
    .probe_address(probed), .probe_invariant(invariant)
  );
`ifdef STEP
  // one clock from any state: broken is 1 if the invariant held before and does not hold now
  reg                held;
  reg [ADDRESS-1:0]  probed_before;
  always @(posedge clk) begin
    held <= invariant;
    probed_before <= probed;
  end
  assign broken = held & ~invariant & (probed_before == probed);
`else
  always @* assert (invariant);
  always @* cover (result_valid && result != 0 && (&accum));
`endif
endmodule
