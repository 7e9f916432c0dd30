// uart_bench: the top of the small boards on a serial line, for iverilog. Sends what a file says and prints every byte that
// comes back, and at the end whether the lamp is on.
//
// A line holds, in hexadecimal: idle bit times before it, byte, 1 for a stop bit that is missing, and how many bytes must have
// come back before it may be sent. BIT is the sender's bit time in ns; the board takes 80.
`default_nettype none
`timescale 1ns/1ns
module uart_bench;
  parameter BIT = 80;
  reg clk = 1'b0, rx = 1'b1;
  wire tx, lamp;
  always #5 clk = ~clk;
  delta_board #(.CLOCK_HZ(8), .BAUD(1)) dut (.clk(clk), .rx(rx), .tx(tx), .lamp(lamp));

  integer in, got, idle, missing, wanted, i, k, received;
  reg [7:0] data;
  reg [8*512-1:0] name;
  initial begin
    received = 0;
    if (!$value$plusargs("in=%s", name)) $finish;
    in = $fopen(name, "r");
    #2000;
    got = $fscanf(in, "%h %h %h %h", idle, data, missing, wanted);
    while (got == 4) begin
      while (received < wanted) #BIT;
      #(BIT * idle) rx = 1'b0;
      for (i = 0; i < 8; i = i + 1) #BIT rx = data[i];
      #BIT rx = missing == 0;
      #BIT rx = 1'b1;
      got = $fscanf(in, "%h %h %h %h", idle, data, missing, wanted);
    end
    #20000 $display("lamp %b", lamp);
    $finish;
  end
  // the receiver samples the middle of each bit
  reg [7:0] answer;
  always @(negedge tx) begin
    #40;
    for (k = 0; k < 8; k = k + 1) #80 answer[k] = tx;
    #80;
    if (tx === 1'b1) $display("%h", answer);
    else $display("%h without a stop bit", answer);
    received = received + 1;
  end
  integer limit;
  initial begin
    if (!$value$plusargs("limit=%d", limit)) limit = 10000000;
    #limit $display("timeout");
    $finish;
  end
endmodule
`default_nettype wire
