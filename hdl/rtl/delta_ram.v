// delta_ram: one write port, one read port, read a clock later: what every block RAM can do.
//
// A read of the address written in the same clock may return either word; whoever reads forwards the new one.
// Contents are 0 at configuration and are not touched by reset.
`default_nettype none
module delta_ram #(
  parameter WIDTH = 64,
  parameter ADDRESS = 5
) (
  input  wire               clk,
  input  wire               write,
  input  wire [ADDRESS-1:0] write_address,
  input  wire [WIDTH-1:0]   write_word,
  input  wire [ADDRESS-1:0] read_address,
  output reg  [WIDTH-1:0]   read_word
);
  reg [WIDTH-1:0] words [0:(1<<ADDRESS)-1];
  integer i;
  initial begin
    for (i = 0; i < (1<<ADDRESS); i = i + 1) words[i] = {WIDTH{1'b0}};
    read_word = {WIDTH{1'b0}};
  end
  always @(posedge clk) begin
    if (write) words[write_address] <= write_word;
    read_word <= words[read_address];
  end
endmodule
`default_nettype wire
