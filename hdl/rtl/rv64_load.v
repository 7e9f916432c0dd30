// rv64_load: what write back writes. From one or two bus words: the bytes asked for are rotated down; an access that
// crosses an 8-byte boundary takes its low bytes from the first word, kept rotated in `first`, and the rest from this one.
// Or, when the slot is no load, the result of execute. A bit of `word` is one choice of four: 0, 1, loaded, result.
`default_nettype none
module rv64_load (
  input  wire [63:0] bus_word,
  input  wire [63:0] first,
  input  wire [63:0] result,
  input  wire        is_load,
  input  wire        second_beat,
  input  wire [2:0]  offset,
  input  wire [2:0]  funct3,
  output wire [63:0] rotated,
  output wire [63:0] joined,
  output wire [63:0] word
);
  wire [63:0] turn_1 = offset[0] ? {bus_word[7:0], bus_word[63:8]}  : bus_word;
  wire [63:0] turn_2 = offset[1] ? {turn_1[15:0],  turn_1[63:16]}   : turn_1;
  assign      rotated = offset[2] ? {turn_2[31:0], turn_2[63:32]}   : turn_2;

  genvar i;
  generate
    for (i = 0; i < 8; i = i + 1) begin : lane
      // byte i lies in the first word while i + offset < 8
      localparam [7:0] INSIDE = 8'hff >> i;
      wire from_first = second_beat & INSIDE[offset];
      assign joined[8*i +: 8] = from_first ? first[8*i +: 8] : rotated[8*i +: 8];
    end
  endgenerate

  //  funct3  000 LB  001 LH  010 LW  011 LD  100 LBU  101 LHU  110 LWU
  wire sign = ~funct3[2] & (funct3[1] ? joined[31] : funct3[0] ? joined[15] : joined[7]);
  wire [3:0] loads = {funct3[1:0] == 2'b11, funct3[1], |funct3[1:0], 1'b1};   // bytes 7 to 4, 3 and 2, 1, 0
  generate
    for (i = 0; i < 8; i = i + 1) begin : choice
      wire       here = loads[i < 2 ? i : i < 4 ? 2 : 3];
      wire [1:0] pick = is_load ? {here, ~here & sign} : 2'b11;
      assign word[8*i +: 8] = pick == 2'b11 ? result[8*i +: 8] : pick == 2'b10 ? joined[8*i +: 8] : {8{pick[0]}};
    end
  endgenerate
endmodule
`default_nettype wire
