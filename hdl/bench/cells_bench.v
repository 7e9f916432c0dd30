// cells_bench: CONTEXTS delta_cells driven from a file, one line a clock, results to another. For iverilog.
//
// A line holds, in hexadecimal: clear accum load swap keep address value accum_address delta wanted
// With `wanted` set, the state of `address` in that clock (what READ and SWAP return) is written out. More than one of
// SLICES takes delta_sum_cell, which shows it SLICES - 1 clocks later.
`default_nettype none
`timescale 1ns/1ns
module cells_bench;
  parameter WIDTH = 64;
  parameter LANE = 0;
  parameter CONTEXTS = 4;
  parameter SLICES = 1;

  reg clk = 1'b0;
  reg clear = 1'b1, accum = 1'b0, load = 1'b0, swap = 1'b0, keep = 1'b0, wanted = 1'b0;
  reg [31:0] address = 0, accum_address = 0;
  reg [WIDTH-1:0] value = 0, delta = 0;
  wire [CONTEXTS*WIDTH-1:0] states;

  genvar c;
  generate
    for (c = 0; c < CONTEXTS; c = c + 1) begin : slot
      if (SLICES == 1) begin : whole
        delta_cell #(.WIDTH(WIDTH), .LANE(LANE)) cell_under_test (
          .clk(clk), .rst(clear),
          .load(load & address == c), .swap(swap & address == c), .swap_keep(keep), .value(value),
          .accum(accum & accum_address == c), .delta(delta), .state(states[c*WIDTH +: WIDTH])
        );
      end else begin : sliced
        delta_sum_cell #(.WIDTH(WIDTH), .SLICES(SLICES)) cell_under_test (
          .clk(clk), .rst(clear),
          .load(load & address == c), .swap(swap & address == c), .swap_keep(keep), .value(value),
          .accum(accum & accum_address == c), .delta(delta), .state(states[c*WIDTH +: WIDTH])
        );
      end
    end
  endgenerate

  wire        wanted_then;
  wire [31:0] address_then;
  delta_delay #(.WIDTH(33), .CLOCKS(SLICES - 1)) answer (.clk(clk), .now({wanted, address}), .later({wanted_then, address_then}));

  integer in, out, got, k;
  reg [8*512-1:0] in_name, out_name;
  initial begin
    if (!$value$plusargs("in=%s", in_name) || !$value$plusargs("out=%s", out_name)) $finish;
    in = $fopen(in_name, "r");
    out = $fopen(out_name, "w");
    if ($test$plusargs("vcd")) begin
      $dumpfile("wave.vcd");
      $dumpvars(0, cells_bench);
    end
    #5 clk = 1'b1;
    #5 clk = 1'b0;
    got = $fscanf(in, "%h %h %h %h %h %h %h %h %h %h", clear, accum, load, swap, keep, address, value, accum_address, delta, wanted);
    while (got == 10) begin
      #4 if (wanted_then === 1'b1) $fdisplay(out, "%h", states[address_then*WIDTH +: WIDTH]);
      #1 clk = 1'b1;
      #5 clk = 1'b0;
      got = $fscanf(in, "%h %h %h %h %h %h %h %h %h %h", clear, accum, load, swap, keep, address, value, accum_address, delta, wanted);
    end
    {accum, load, swap, wanted} = 4'd0;
    for (k = 1; k < SLICES; k = k + 1) begin
      #4 if (wanted_then) $fdisplay(out, "%h", states[address_then*WIDTH +: WIDTH]);
      #1 clk = 1'b1;
      #5 clk = 1'b0;
    end
    $fclose(out);
    $finish;
  end
endmodule
`default_nettype wire
