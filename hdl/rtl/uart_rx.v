// uart_rx: bytes from a serial line, 8N1. DIVIDE clocks a bit; a bit is sampled in its middle. A frame without its stop bit
// is dropped, and the next one starts when the line has been idle and falls again.
`default_nettype none
module uart_rx #(
  parameter DIVIDE = 104
) (
  input  wire       clk,
  input  wire       rst,
  input  wire       line,
  output reg        valid,
  output reg  [7:0] data
);
  reg [2:0]  settled;
  reg [15:0] count;
  reg [3:0]  bits;
  always @(posedge clk) begin
    settled <= {settled[1:0], line};
    valid   <= 1'b0;
    if (bits == 4'd0) begin
      // idle until the line falls; then wait for the middle of the first data bit
      count <= DIVIDE + DIVIDE / 2 - 1;
      if (settled[2] & ~settled[1]) bits <= 4'd9;
    end else if (count != 16'd0) count <= count - 16'd1;
    else begin
      count <= DIVIDE - 1;
      bits  <= bits - 4'd1;
      if (bits != 4'd1) data <= {settled[1], data[7:1]};
      else              valid <= settled[1];   // the stop bit
    end
    if (rst) begin
      bits    <= 4'd0;
      settled <= 3'b111;
      valid   <= 1'b0;
    end
  end
endmodule
`default_nettype wire
