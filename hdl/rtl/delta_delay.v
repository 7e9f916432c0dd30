// delta_delay: a word, CLOCKS clocks later; with 0 the same wire.
`default_nettype none
module delta_delay #(
  parameter WIDTH  = 1,
  parameter CLOCKS = 1
) (
  input  wire             clk,
  input  wire [WIDTH-1:0] now,
  output wire [WIDTH-1:0] later
);
  genvar k;
  generate
    for (k = 0; k <= CLOCKS; k = k + 1) begin : stage
      wire [WIDTH-1:0] word;
      if (k == 0) begin : first
        assign word = now;
      end else begin : held
        reg [WIDTH-1:0] was;
        always @(posedge clk) was <= stage[k-1].word;
        assign word = was;
      end
    end
    assign later = stage[CLOCKS].word;
  endgenerate
endmodule
`default_nettype wire
