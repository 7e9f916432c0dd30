// delta_sum_cell is the specification, SLICES - 1 clocks late: every sequence of inputs, `state` is what READ must give.
`default_nettype none
module sum_cell_proof #(
  parameter WIDTH = 64,
  parameter SLICES = 2
) (
  input wire             clk,
  input wire             rst,
  input wire             load, swap, keep, accum,
  input wire [WIDTH-1:0] value, delta
);
  wire [WIDTH-1:0] state;
  delta_sum_cell #(.WIDTH(WIDTH), .SLICES(SLICES)) dut (
    .clk(clk), .rst(rst), .load(load), .swap(swap), .swap_keep(keep), .value(value), .accum(accum), .delta(delta),
    .state(state)
  );

  reg  [WIDTH-1:0] spec;
  wire [WIDTH-1:0] late;
  wire [WIDTH-1:0] swapped = (swap & ~keep) ? value : spec;
  wire [WIDTH-1:0] loaded  = load ? value : swapped;
  always @(posedge clk) spec <= rst ? {WIDTH{1'b0}} : loaded + (accum ? delta : {WIDTH{1'b0}});
  delta_delay #(.WIDTH(WIDTH), .CLOCKS(SLICES - 1)) lag (.clk(clk), .now(spec), .later(late));

  // reset holds until it has reached every slice
  reg [2:0] clock;
  initial clock = 3'd0;
  always @(posedge clk) if (!(&clock)) clock <= clock + 3'd1;
  always @* begin
    if (clock < SLICES) assume (rst);
    else assert (state == late);
  end
  always @* cover (&clock && swap && keep && accum && !rst && state != 0 && delta != 0);
endmodule
