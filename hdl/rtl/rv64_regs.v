// rv64_regs: 31 registers of 64 bits, two read in the same clock, one written at its end. x0 is never written.
`default_nettype none
module rv64_regs (
  input  wire        clk,
  // read
  input  wire [4:0]  rs1,
  input  wire [4:0]  rs2,
  output wire [63:0] rs1_word,
  output wire [63:0] rs2_word,
  // write; the core keeps `write` low for x0
  input  wire        write,
  input  wire [4:0]  rd,
  input  wire [63:0] rd_word
);
  reg [63:0] x [0:31];
  integer i;
  initial for (i = 0; i < 32; i = i + 1) x[i] = 64'd0;
  always @(posedge clk) if (write) x[rd] <= rd_word;
  assign rs1_word = x[rs1];
  assign rs2_word = x[rs2];
endmodule
`default_nettype wire
