// table_bench: a delta_table driven from a file, one line a clock, results to another. For iverilog.
//
// A line holds, in hexadecimal: load read swap keep address value accum accum_address accum_delta (the last three packed,
// port 0 lowest). A few idle clocks follow the last line so that every result comes out.
`default_nettype none
`timescale 1ns/1ns
module table_bench;
  parameter WIDTH = 64;
  parameter ADDRESS = 4;
  parameter PORTS = 1;
  parameter LANE = 0;

  reg clk = 1'b0, rst = 1'b1;
  reg load = 1'b0, read = 1'b0, swap = 1'b0, keep = 1'b0;
  reg [ADDRESS-1:0] address = 0;
  reg [WIDTH-1:0] value = 0;
  reg [PORTS-1:0] accum = 0;
  reg [PORTS*ADDRESS-1:0] accum_address = 0;
  reg [PORTS*WIDTH-1:0] accum_delta = 0;
  wire result_valid;
  wire [WIDTH-1:0] result;

  delta_table #(.WIDTH(WIDTH), .ADDRESS(ADDRESS), .PORTS(PORTS), .LANE(LANE)) table_under_test (
    .clk(clk), .rst(rst), .accum(accum), .accum_address(accum_address), .accum_delta(accum_delta),
    .load(load), .read(read), .swap(swap), .swap_keep(keep), .address(address), .value(value),
    .result_valid(result_valid), .result(result)
  );

  integer in, out, got, k;
  reg [8*512-1:0] in_name, out_name;
  task clock;
    begin
      #4 if (result_valid) $fdisplay(out, "%h", result);
      #1 clk = 1'b1;
      #5 clk = 1'b0;
    end
  endtask
  initial begin
    if (!$value$plusargs("in=%s", in_name) || !$value$plusargs("out=%s", out_name)) $finish;
    in = $fopen(in_name, "r");
    out = $fopen(out_name, "w");
    if ($test$plusargs("vcd")) begin
      $dumpfile("wave.vcd");
      $dumpvars(0, table_bench);
    end
    clock;
    rst = 1'b0;
    got = $fscanf(in, "%h %h %h %h %h %h %h %h %h", load, read, swap, keep, address, value, accum, accum_address, accum_delta);
    while (got == 9) begin
      clock;
      got = $fscanf(in, "%h %h %h %h %h %h %h %h %h", load, read, swap, keep, address, value, accum, accum_address, accum_delta);
    end
    {load, read, swap} = 3'b000;
    accum = 0;
    for (k = 0; k < 16; k = k + 1) clock;
    $fclose(out);
    $finish;
  end
endmodule
`default_nettype wire
