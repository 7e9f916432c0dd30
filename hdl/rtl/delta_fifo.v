// delta_fifo: a first-in first-out queue of 2^DEPTH words in registers; a word put in is at the head a clock later.
// `room` counts free places, so that whoever starts something that will end here can know that there is a place for it.
`default_nettype none
module delta_fifo #(
  parameter WIDTH = 64,
  parameter DEPTH = 3
) (
  input  wire             clk,
  input  wire             rst,
  // in
  input  wire             put,
  input  wire [WIDTH-1:0] put_word,
  output wire [DEPTH:0]   used,
  // out
  output wire             valid,
  output wire [WIDTH-1:0] word,
  input  wire             take
);
  reg [WIDTH-1:0] words [0:(1<<DEPTH)-1];
  reg [DEPTH:0]   head, tail;
  initial begin head = 0; tail = 0; end
  assign used  = tail - head;
  assign valid = head != tail;
  assign word  = words[head[DEPTH-1:0]];
  always @(posedge clk) begin
    if (put) words[tail[DEPTH-1:0]] <= put_word;
    if (put)          tail <= tail + 1'b1;
    if (take & valid) head <= head + 1'b1;
    if (rst) begin
      head <= 0;
      tail <= 0;
    end
  end
endmodule
`default_nettype wire
