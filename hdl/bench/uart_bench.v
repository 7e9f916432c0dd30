// uart_bench: bytes through delta_uart's serial line and back; prints each answer of eight bytes, lowest first.
`default_nettype none
`timescale 1ns/1ns
module uart_bench;
  localparam DIVIDE = 8;
  reg clk = 1'b0, rst = 1'b1, rx = 1'b1;
  wire tx, busy;
  always #5 clk = ~clk;
  delta_uart #(.DIVIDE(DIVIDE)) dut (.clk(clk), .rst(rst), .rx(rx), .tx(tx), .busy(busy));

  task send(input [7:0] data);
    integer i;
    begin
      rx = 1'b0;
      repeat (DIVIDE) @(posedge clk);
      for (i = 0; i < 8; i = i + 1) begin
        rx = data[i];
        repeat (DIVIDE) @(posedge clk);
      end
      rx = 1'b1;
      repeat (DIVIDE) @(posedge clk);
    end
  endtask
  task word(input [63:0] data);
    integer k;
    for (k = 0; k < 8; k = k + 1) send(data[8*k +: 8]);
  endtask
  task answer;
    integer i, k;
    reg [63:0] data;
    begin
      for (k = 0; k < 8; k = k + 1) begin
        @(negedge tx);
        repeat (DIVIDE + DIVIDE / 2) @(posedge clk);
        for (i = 0; i < 8; i = i + 1) begin
          data[8*k + i] = tx;
          repeat (DIVIDE) @(posedge clk);
        end
      end
      $display("%h", data);
    end
  endtask
  initial begin
    repeat (4) @(posedge clk);
    rst = 1'b0;
    repeat (4) @(posedge clk);
    send("?");
    send("L"); send(8'd3); word(64'hcafebabe);
    send("A"); send(8'd3); word(64'h0000ff00);
    send("A"); send(8'd3); word(64'h00ff0000);
    fork begin send("R"); send(8'd3); end answer; join
    send("A"); send(8'd3); word(64'h0000ff00);
    fork begin send("K"); send(8'd3); end answer; join
    fork begin send("S"); send(8'd3); word(64'hdeadbeef); end answer; join
    send("A"); send(8'd3); word(64'hff);
    fork begin send("R"); send(8'd3); end answer; join
    $finish;
  end
  initial begin
    #1000000 $display("timeout");
    $finish;
  end
endmodule
`default_nettype wire
