// rv64_load: from one or two bus words to a register. The bytes asked for are rotated down; an access that crosses an
// 8-byte boundary takes its low bytes from the first word, kept rotated in `first`, and the rest from this one.
`default_nettype none
module rv64_load (
  input  wire [63:0] bus_word,
  input  wire [63:0] first,
  input  wire        second_beat,
  input  wire [2:0]  offset,
  input  wire [2:0]  funct3,
  output wire [63:0] rotated,
  output wire [63:0] joined,
  output wire [63:0] loaded
);
  wire [63:0] turn_1 = offset[0] ? {bus_word[7:0], bus_word[63:8]}  : bus_word;
  wire [63:0] turn_2 = offset[1] ? {turn_1[15:0],  turn_1[63:16]}   : turn_1;
  assign      rotated = offset[2] ? {turn_2[31:0], turn_2[63:32]}   : turn_2;

  genvar i;
  generate
    for (i = 0; i < 8; i = i + 1) begin : lane
      // byte i lies in the first word while i + offset < 8
      wire from_first = second_beat & ({1'b0, offset} < 4'd8 - i);
      assign joined[8*i +: 8] = from_first ? first[8*i +: 8] : rotated[8*i +: 8];
    end
  endgenerate

  //  funct3  000 LB  001 LH  010 LW  011 LD  100 LBU  101 LHU  110 LWU
  wire sign = ~funct3[2] & (funct3[1] ? joined[31] : funct3[0] ? joined[15] : joined[7]);
  assign loaded[7:0]   = joined[7:0];
  assign loaded[15:8]  = funct3[1:0] == 2'b00 ? {8{sign}}  : joined[15:8];
  assign loaded[31:16] = ~funct3[1]           ? {16{sign}} : joined[31:16];
  assign loaded[63:32] = funct3[1:0] != 2'b11 ? {32{sign}} : joined[63:32];
endmodule
`default_nettype wire
