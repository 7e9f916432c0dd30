// delta_cell is the specification: for every lane, every sequence of inputs, `state` is what READ must give.
`default_nettype none
module cell_proof #(
  parameter WIDTH = 64,
  parameter LANE = 0
) (
  input wire             clk,
  input wire             rst,
  input wire             load, swap, keep, accum,
  input wire [WIDTH-1:0] value, delta
);
  wire [WIDTH-1:0] state;
  delta_cell #(.WIDTH(WIDTH), .LANE(LANE)) dut (
    .clk(clk), .rst(rst), .load(load), .swap(swap), .swap_keep(keep), .value(value), .accum(accum), .delta(delta),
    .state(state)
  );

  // the specification knows one word: the state. In a clock: SWAP, LOAD, then ACCUM.
  reg  [WIDTH-1:0] spec;
  wire [WIDTH-1:0] swapped = (swap & ~keep) ? value : spec;
  wire [WIDTH-1:0] loaded  = load ? value : swapped;
  wire [WIDTH-1:0] folded;
  delta_join #(.WIDTH(WIDTH), .LANE(LANE)) spec_join (.a(loaded), .b(accum ? delta : {WIDTH{1'b0}}), .y(folded));
  always @(posedge clk) spec <= rst ? {WIDTH{1'b0}} : folded;

  reg started;
  initial started = 1'b0;
  always @(posedge clk) started <= 1'b1;
  always @* begin
    if (!started) assume (rst);
    else assert (state == spec);
  end
  // the proof must not be empty: a SWAP beside an ACCUM happens
  always @* cover (started && swap && keep && accum && !rst && state != 0 && delta != 0);
endmodule
