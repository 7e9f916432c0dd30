// delta_board: the top of every small board: delta_uart on the board's clock, serial line and one lamp.
//
// Power-on reset is a counter that starts at 0 by configuration. Build: see the pin file of the board beside this one.
`default_nettype none
module delta_board #(
  parameter CLOCK_HZ = 27_000_000,
  parameter BAUD = 115_200
) (
  input  wire clk,
  input  wire rx,
  output wire tx,
  output wire lamp
);
  reg [3:0] count;
  initial count = 4'd0;
  wire rst = ~&count;
  always @(posedge clk) if (rst) count <= count + 4'd1;
  wire busy;
  delta_uart #(.DIVIDE(CLOCK_HZ / BAUD), .ADDRESS(8)) serial (.clk(clk), .rst(rst), .rx(rx), .tx(tx), .busy(busy));
  assign lamp = ~busy;
endmodule
`default_nettype wire
