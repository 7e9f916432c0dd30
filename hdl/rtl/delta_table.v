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
// it. Its result shows LATENCY clocks later, a command a clock, never a stall:
//
//   xor   1 clock for 1 or 2 ports, 2 for any number above: the banks are joined in two levels of sqrt(PORTS) words, one
//         on either side of a register
//   add   1 + ceil(log2 PORTS): a level of two words a clock, because a second carry chain in a clock would halve it
//
// Reset empties the pipeline, not the RAM: contexts are 0 at configuration and afterwards what was LOADed.
`default_nettype none
module delta_table #(
  parameter WIDTH = 64,
  parameter ADDRESS = 5,
  parameter PORTS = 1,
  parameter LANE = 0,
  parameter RADIX = (LANE == 0) ? square_root(PORTS) : 2
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
`ifdef FORMAL
  , input  wire [ADDRESS-1:0]     probe_address,
  output wire                     probe_invariant
`endif
);
  function integer levels(input integer ports);
    integer n;
    begin
      levels = 0;
      for (n = ports; n > 1; n = (n + RADIX - 1) / RADIX) levels = levels + 1;
    end
  endfunction
  // the smallest n >= 2 with n * n >= ports
  function integer square_root(input integer ports);
    begin
      square_root = 2;
      while (square_root * square_root < ports) square_root = square_root + 1;
    end
  endfunction
  localparam LEVELS  = levels(PORTS);
  localparam OPEN    = (LANE == 0 && LEVELS > 0) ? 1 : 0;    // the last level is joined to the reference in its own clock
  localparam LATENCY = 1 + LEVELS - OPEN;

  // the banks, and their join LATENCY clocks after the address was given
  wire [PORTS*WIDTH-1:0] totals;
  wire [WIDTH-1:0]       accumulator;
`ifdef FORMAL
  wire [PORTS*WIDTH-1:0] probe_totals;
  wire [PORTS-1:0]       probe_banks;
`endif
  genvar p;
  generate
    for (p = 0; p < PORTS; p = p + 1) begin : port
      delta_bank #(.WIDTH(WIDTH), .ADDRESS(ADDRESS), .LANE(LANE)) bank (
        .clk(clk), .rst(rst),
        .accum(accum[p]), .address(accum_address[p*ADDRESS +: ADDRESS]), .delta(accum_delta[p*WIDTH +: WIDTH]),
        .read_address(address), .total(totals[p*WIDTH +: WIDTH])
`ifdef FORMAL
        , .probe_address(probe_address), .probe_total(probe_totals[p*WIDTH +: WIDTH]), .probe_invariant(probe_banks[p])
`endif
      );
    end
  endgenerate
  delta_tree #(.WIDTH(WIDTH), .PORTS(PORTS), .RADIX(RADIX), .LANE(LANE), .LAST(1 - OPEN)) tree (
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

`ifdef FORMAL
  wire [WIDTH-1:0] probe_reference;
`endif
  delta_ram #(.WIDTH(WIDTH), .ADDRESS(ADDRESS)) references (
    .clk(clk), .write(renew), .write_address(address_now), .write_word(renewed),
    .read_address(address_next), .read_word(stored)
`ifdef FORMAL
    , .probe_address(probe_address), .probe_word(probe_reference)
`endif
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

`ifdef FORMAL
  // The specification, for one address, any address: `spec` is the state of that context, nothing more. Kept for LATENCY
  // 1 and 2 (formal/table.sv). With `total` the join of all that the banks accepted, and a renewal of the context on its
  // way in stage 1 or 2 with its value and the snapshot that it took:
  //
  //   spec = value (.) total - snapshot, of the newest renewal on its way, or reference (.) total if there is none
  //
  // and a command on its way knows the state of its own clock by the same rule.
  wire [WIDTH-1:0] probe_total, probe_folded, snapshot;
  genvar q;
  generate
    for (q = 0; q <= PORTS; q = q + 1) begin : sums
      wire [WIDTH-1:0] total_q, folded_q, snapshot_q;
      if (q == 0) begin : none
        assign total_q    = {WIDTH{1'b0}};
        assign folded_q   = {WIDTH{1'b0}};
        assign snapshot_q = {WIDTH{1'b0}};
      end else begin : some
        wire folds = accum[q-1] & (accum_address[(q-1)*ADDRESS +: ADDRESS] == probe_address);
        delta_join #(.WIDTH(WIDTH), .LANE(LANE)) join_total (
          .a(sums[q-1].total_q), .b(probe_totals[(q-1)*WIDTH +: WIDTH]), .y(total_q)
        );
        delta_join #(.WIDTH(WIDTH), .LANE(LANE)) join_folded (
          .a(sums[q-1].folded_q), .b(folds ? accum_delta[(q-1)*WIDTH +: WIDTH] : {WIDTH{1'b0}}), .y(folded_q)
        );
        delta_join #(.WIDTH(WIDTH), .LANE(LANE)) join_snapshot (
          .a(sums[q-1].snapshot_q), .b(totals[(q-1)*WIDTH +: WIDTH]), .y(snapshot_q)
        );
      end
    end
  endgenerate
  assign probe_total  = sums[PORTS].total_q;
  assign probe_folded = sums[PORTS].folded_q;
  assign snapshot     = sums[PORTS].snapshot_q;

  reg  [WIDTH-1:0] spec, spec_1, spec_2;
  wire             hit_now = (address == probe_address);
  wire [WIDTH-1:0] spec_renewed = (renews & hit_now) ? value : spec;
  initial begin spec = 0; spec_1 = 0; spec_2 = 0; end
  generate
    if (LANE == 0) begin : lane_xor
      always @(posedge clk) spec <= rst ? spec : spec_renewed ^ probe_folded;
    end else begin : lane_add
      always @(posedge clk) spec <= rst ? spec : spec_renewed + probe_folded;
    end
  endgenerate
  always @(posedge clk) begin
    spec_1 <= spec;
    spec_2 <= spec_1;
  end

  // the two stages; with LATENCY 1 the first is the last, and its snapshot is the tree's output
  wire hit_1 = valid_at[1] & (address_at[ADDRESS +: ADDRESS] == probe_address);
  wire hit_last = valid_at[LATENCY] & (address_now == probe_address);
  wire newer = (LATENCY == 2) & hit_1 & renew_at[1];
  wire older = hit_last & renew;
  wire [WIDTH-1:0] based   = older ? value_now : probe_reference;
  wire [WIDTH-1:0] without = older ? accumulator : {WIDTH{1'b0}};
  wire [WIDTH-1:0] spec_is, spec_1_is;
  generate
    if (LANE == 0) begin : is_xor
      assign spec_is   = newer ? value_at[WIDTH +: WIDTH] ^ probe_total ^ snapshot : based ^ probe_total ^ without;
      assign spec_1_is = based ^ snapshot ^ without;
    end else begin : is_add
      assign spec_is   = newer ? value_at[WIDTH +: WIDTH] + probe_total - snapshot : based + probe_total - without;
      assign spec_1_is = based + snapshot - without;
    end
  endgenerate
  wire [WIDTH-1:0] spec_last = (LATENCY == 2) ? spec_2 : spec_1;
  assign probe_invariant = (&probe_banks)
    & (spec == spec_is)
    & (LATENCY == 1 | ~hit_1 | spec_1 == spec_1_is)
    & (~hit_last | (reference == probe_reference & result == spec_last))
    & (~renew_at[1] | valid_at[1]) & (~renew | valid_at[LATENCY]);
`endif
endmodule
`default_nettype wire
