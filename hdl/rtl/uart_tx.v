// uart_tx: bytes to a serial line, 8N1, DIVIDE clocks a bit.
`default_nettype none
module uart_tx #(
  parameter DIVIDE = 104
) (
  input  wire       clk,
  input  wire       rst,
  input  wire       valid,
  output wire       ready,
  input  wire [7:0] data,
  output wire       line
);
  reg [9:0]  frame;
  reg [15:0] count;
  reg [3:0]  bits;
  assign ready = bits == 4'd0;
  assign line  = frame[0];
  always @(posedge clk) begin
    if (ready) begin
      if (valid) begin
        frame <= {1'b1, data, 1'b0};
        bits  <= 4'd10;
        count <= DIVIDE - 1;
      end
    end else if (count != 16'd0) count <= count - 16'd1;
    else begin
      count <= DIVIDE - 1;
      frame <= {1'b1, frame[9:1]};
      bits  <= bits - 4'd1;
    end
    if (rst) begin
      bits  <= 4'd0;
      frame <= 10'h3ff;
    end
  end
endmodule
`default_nettype wire
