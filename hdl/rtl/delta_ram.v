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
`ifdef FORMAL
  , input  wire [ADDRESS-1:0] probe_address,
  output wire [WIDTH-1:0]   probe_word
`endif
);
  reg [WIDTH-1:0] words [0:(1<<ADDRESS)-1];
  integer i;
  initial begin
    for (i = 0; i < (1<<ADDRESS); i = i + 1) words[i] = {WIDTH{1'b0}};
    read_word = {WIDTH{1'b0}};
  end
  always @(posedge clk) begin
    if (write) words[write_address] <= write_word;
`ifdef FORMAL
    // either word: the proofs hold for RAMs that read first, write first, or return anything
    read_word <= (write && write_address == read_address) ? either : words[read_address];
`else
    read_word <= words[read_address];
`endif
  end
`ifdef FORMAL
  (* anyseq *) wire [WIDTH-1:0] either;
  assign probe_word = words[probe_address];
`endif
endmodule
`default_nettype wire
