// delta_table: 2^ADDRESS contexts in block RAM, PORTS deltas accepted every clock, also when all hit one context.
//
//   accum[0] --> delta_bank 0 --\
//   accum[1] --> delta_bank 1 ---> delta_tree ---> (.) ---> result (READ, SWAP, and what LOAD replaced)
//      ...                      /                   ^
//   accum[P-1] > delta_bank P-1                reference RAM <--- value (.) inverse(tree)   on LOAD and SWAP
//
// Every port owns a bank, so no two writers meet; the state is the join of the banks and the reference.
// LOAD and SWAP clear nothing: the new reference absorbs the accumulator, reference' = value (.) tree^-1, so that
// reference' (.) accumulator = value. SWAP that keeps changes no stored word at all: it is READ, and the state that it
// returns is the reference from then on. That needs an inverse, so LANE is 0 (xor) or 1 (add). `max` has none and is
// out of scope here: clearing P banks in one clock would take P more write ports (delta_cell and delta_fold do max).
//
// A command given in clock t sees every delta accepted before t and none from t on; deltas of clock t itself come after
// it. Its result shows LATENCY = 1 + ceil(log_RADIX PORTS) clocks later, a command a clock, never a stall.
//
// Reset empties the pipeline, not the RAM: contexts are 0 at configuration and afterwards what was LOADed.
`default_nettype none
module delta_table #(
  parameter WIDTH = 64,
  parameter ADDRESS = 5,
  parameter PORTS = 1,
  parameter LANE = 0,
  parameter RADIX = (LANE == 0) ? 8 : 2
) (
  input  wire                     clk,
  input  wire                     rst,
  // one delta a port a clock
  input  wire [PORTS-1:0]         accum,
  input  wire [PORTS*ADDRESS-1:0] accum_address,
  input  wire [PORTS*WIDTH-1:0]   accum_delta,
  // one command a clock
  input  wire                     load,
  input  wire                     read,
  input  wire                     swap,
  input  wire                     swap_keep,
  input  wire [ADDRESS-1:0]       address,
  input  wire [WIDTH-1:0]         value,
  // the state before the command, LATENCY clocks later
  output wire                     result_valid,
  output wire [WIDTH-1:0]         result
);
  function integer levels(input integer ports);
    integer n;
    begin
      levels = 0;
      for (n = ports; n > 1; n = (n + RADIX - 1) / RADIX) levels = levels + 1;
    end
  endfunction
  localparam LEVELS  = levels(PORTS);
  localparam LATENCY = 1 + LEVELS;

  // the banks, and their join LATENCY clocks after the address was given
  wire [PORTS*WIDTH-1:0] totals;
  wire [WIDTH-1:0]       accumulator;
  genvar p;
  generate
    for (p = 0; p < PORTS; p = p + 1) begin : port
      delta_bank #(.WIDTH(WIDTH), .ADDRESS(ADDRESS), .LANE(LANE)) bank (
        .clk(clk), .rst(rst),
        .accum(accum[p]), .address(accum_address[p*ADDRESS +: ADDRESS]), .delta(accum_delta[p*WIDTH +: WIDTH]),
        .read_address(address), .total(totals[p*WIDTH +: WIDTH])
      );
    end
  endgenerate
  delta_tree #(.WIDTH(WIDTH), .PORTS(PORTS), .RADIX(RADIX), .LANE(LANE)) tree (
    .clk(clk), .rst(1'b0), .advance(1'b1), .words(totals), .joined(accumulator)
  );

  // the command travels beside its tree; delay[k] is k clocks old
  wire               command = (load | read | swap) & ~rst;
  wire               renews  = (load | (swap & ~swap_keep)) & ~rst;
  wire [LATENCY:0]   valid_at, renew_at;
  wire [(LATENCY+1)*ADDRESS-1:0] address_at;
  wire [(LATENCY+1)*WIDTH-1:0]   value_at;
  assign valid_at[0] = command;
  assign renew_at[0] = renews;
  assign address_at[ADDRESS-1:0] = address;
  assign value_at[WIDTH-1:0] = value;
  genvar k;
  generate
    for (k = 1; k <= LATENCY; k = k + 1) begin : delay
      reg               valid_k, renew_k;
      reg [ADDRESS-1:0] address_k;
      reg [WIDTH-1:0]   value_k;
      initial begin valid_k = 1'b0; renew_k = 1'b0; address_k = 0; value_k = 0; end
      always @(posedge clk) begin
        valid_k   <= valid_at[k-1] & ~rst;
        renew_k   <= renew_at[k-1] & ~rst;
        address_k <= address_at[(k-1)*ADDRESS +: ADDRESS];
        value_k   <= value_at[(k-1)*WIDTH +: WIDTH];
      end
      assign valid_at[k] = valid_k;
      assign renew_at[k] = renew_k;
      assign address_at[k*ADDRESS +: ADDRESS] = address_k;
      assign value_at[k*WIDTH +: WIDTH] = value_k;
    end
  endgenerate

  // the reference, read so that it arrives together with the tree; a renewal a clock before is forwarded
  wire [ADDRESS-1:0] address_now  = address_at[LATENCY*ADDRESS +: ADDRESS];
  wire [ADDRESS-1:0] address_next = address_at[(LATENCY-1)*ADDRESS +: ADDRESS];
  wire               renew        = renew_at[LATENCY];
  wire [WIDTH-1:0]   value_now    = value_at[LATENCY*WIDTH +: WIDTH];
  wire [WIDTH-1:0]   stored, reference, renewed;
  reg                reference_hit;
  reg  [WIDTH-1:0]   last_reference;

  delta_ram #(.WIDTH(WIDTH), .ADDRESS(ADDRESS)) references (
    .clk(clk), .write(renew), .write_address(address_now), .write_word(renewed),
    .read_address(address_next), .read_word(stored)
  );
  initial begin reference_hit = 1'b0; last_reference = 0; end
  always @(posedge clk) begin
    reference_hit  <= renew & (address_now == address_next);
    last_reference <= renewed;
  end
  assign reference = reference_hit ? last_reference : stored;

  generate
    if (LANE == 0) assign renewed = value_now ^ accumulator;
    else           assign renewed = value_now - accumulator;
  endgenerate
  delta_join #(.WIDTH(WIDTH), .LANE(LANE)) join_state (.a(reference), .b(accumulator), .y(result));
  assign result_valid = valid_at[LATENCY];
endmodule
`default_nettype wire
