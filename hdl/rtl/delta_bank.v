// delta_bank: the accumulators that one port owns: one word a context, one delta accepted every clock.
//
//   clock    t                t+1                         t+2
//   ACCUM    address, delta   words[a] (.) delta, write   in RAM (or forwarded)
//   READ     read_address     total
//
// A delta is a read, a join and a write, one stage each, so the word it needs may still be on its way to the RAM:
// `last_word` is the word written a clock ago, and the *_hit flags, computed while the addresses wait, say to use it.
// Two identical RAMs give the second read port.
//
// Invariant (formal/bank.sv): total is the join of every delta accepted for read_address before clock t, none after.
`default_nettype none
module delta_bank #(
  parameter WIDTH = 64,
  parameter ADDRESS = 5,
  parameter LANE = 0
) (
  input  wire               clk,
  input  wire               rst,
  // a delta, any clock
  input  wire               accum,
  input  wire [ADDRESS-1:0] address,
  input  wire [WIDTH-1:0]   delta,
  // the join so far, a clock later
  input  wire [ADDRESS-1:0] read_address,
  output wire [WIDTH-1:0]   total
`ifdef FORMAL
  , input  wire [ADDRESS-1:0] probe_address,
  output wire [WIDTH-1:0]   probe_total,
  output wire               probe_invariant
`endif
);
  // t+1: the delta that is being joined
  reg               accum_1;
  reg [ADDRESS-1:0] address_1;
  reg [WIDTH-1:0]   delta_1;
  // the word that was written at the end of the clock before
  reg [WIDTH-1:0]   last_word;
  reg               accum_hit;
  reg               read_hit;

  wire [WIDTH-1:0] accum_word, read_word, sum;

`ifdef FORMAL
  wire [WIDTH-1:0] accum_probe, read_probe;
`endif
  delta_ram #(.WIDTH(WIDTH), .ADDRESS(ADDRESS)) accum_copy (
    .clk(clk), .write(accum_1), .write_address(address_1), .write_word(sum),
    .read_address(address), .read_word(accum_word)
`ifdef FORMAL
    , .probe_address(probe_address), .probe_word(accum_probe)
`endif
  );
  delta_ram #(.WIDTH(WIDTH), .ADDRESS(ADDRESS)) read_copy (
    .clk(clk), .write(accum_1), .write_address(address_1), .write_word(sum),
    .read_address(read_address), .read_word(read_word)
`ifdef FORMAL
    , .probe_address(probe_address), .probe_word(read_probe)
`endif
  );
  delta_join #(.WIDTH(WIDTH), .LANE(LANE)) join_delta (
    .a(accum_hit ? last_word : accum_word), .b(delta_1), .y(sum)
  );

  assign total = read_hit ? last_word : read_word;

  initial begin
    accum_1 = 1'b0; address_1 = 0; delta_1 = 0; last_word = 0; accum_hit = 1'b0; read_hit = 1'b0;
  end
  always @(posedge clk) begin
    accum_1   <= accum & ~rst;
    address_1 <= address;
    delta_1   <= delta;
    last_word <= sum;
    accum_hit <= accum_1 & (address_1 == address);
    read_hit  <= accum_1 & (address_1 == read_address);
  end

`ifdef FORMAL
  // For one address, any address: the join of what was accepted is what the RAM holds, joined to the delta on its way;
  // the operand of that delta and the word being read are what the RAM holds.
  reg read_probed;
  always @(posedge clk) read_probed <= read_address == probe_address;
  wire on_its_way = accum_1 & (address_1 == probe_address);
  delta_join #(.WIDTH(WIDTH), .LANE(LANE)) join_probe (
    .a(accum_probe), .b(on_its_way ? delta_1 : {WIDTH{1'b0}}), .y(probe_total)
  );
  assign probe_invariant = (accum_probe == read_probe)
    & (~on_its_way | (accum_hit ? last_word : accum_word) == accum_probe)
    & (~read_probed | total == accum_probe);
`endif
endmodule
`default_nettype wire
