// rv64_alu: adder, comparison, logic, and one rotator that serves the shifts and puts store bytes in their lanes.
//
// A shift is a rotation and a mask. With n the amount, a right shift rotates right by n and keeps bits below 64 - n
// (32 - n in a word operation); a left shift rotates right by -n and keeps bits from n up; the rest is 0 or the sign.
// A store rotates its word left by 8 * offset and masks nothing: the strobes do.
//
// `picked` is the result of logic or shift, or 0 when neither is asked for, so the core can OR it in without a multiplexer.
`default_nettype none
module rv64_alu (
  // operands; `b` comes inverted when `subtract` is 1
  input  wire [63:0] a,
  input  wire [63:0] b,
  input  wire [63:0] store_word,
  // what is wanted
  input  wire [2:0]  funct3,
  input  wire        subtract,
  input  wire        arithmetic,
  input  wire        word_op,
  input  wire        is_store,
  input  wire        is_branch,
  input  wire        use_logic,
  input  wire        use_shift,
  // results
  output wire [63:0] sum,
  output wire        less,
  output wire        equal,
  output wire [63:0] picked,
  output wire [63:0] rotated
);
  // sum and comparison: a < b is the borrow, corrected when the signs differ and count. The signed forms are those with
  // funct3 010 (SLT), 100 and 101 (BLT, BGE); the unsigned have bit 0 (SLTU) or bit 1 (BLTU, BGEU) set.
  wire [65:0] wide = {1'b0, a, 1'b1} + {1'b0, b, subtract};
  wire        unsigned_less = is_branch ? funct3[1] : funct3[0];
  assign sum  = wide[64:1];
  assign less = (a[63] == b[63]) ? (unsigned_less ? ~b[63] : a[63]) : ~wide[65];   // equal here: the signs differ

  //  kind  00 nothing   01 xor (funct3 100, and a branch)   10 or (110)   11 and (111)
  wire [1:0] kind = {2{use_logic}} & {funct3[1], ~funct3[1] | funct3[0]};
  wire [63:0] logic_word = ({64{kind[1]}} & a & b) | ({64{kind[1] ^ kind[0]}} & (a ^ b));
  assign equal = (a ^ b) == {64{1'b1}};   // of a branch, whose b is inverted

  // rotation
  wire        left   = is_store | ~funct3[2];
  wire [5:0]  amount = is_store ? {sum[2:0], 3'b000} : {b[5] & ~word_op, b[4:0]};
  wire [5:0]  minus  = -amount;
  wire [5:0]  turn   = left ? minus : amount;
  wire [63:0] turn_1  = turn[0] ? {a[0],          a[63:1]}       : a;
  wire [63:0] turn_2  = turn[1] ? {turn_1[1:0],   turn_1[63:2]}  : turn_1;
  wire [63:0] turn_4  = turn[2] ? {turn_2[3:0],   turn_2[63:4]}  : turn_2;
  wire [63:0] source  = is_store ? store_word : turn_4;     // a store turns by whole bytes
  wire [63:0] turn_8  = turn[3] ? {source[7:0],   source[63:8]}  : source;
  wire [63:0] turn_16 = turn[4] ? {turn_8[15:0],  turn_8[63:16]} : turn_8;
  assign      rotated = turn[5] ? {turn_16[31:0], turn_16[63:32]} : turn_16;

  // mask: bit i is kept when i < limit, the other way round for a left shift
  wire [5:0]  limit = left ? amount : {minus[5] & ~word_op, minus[4:0]};
  wire        whole = ~left & (amount == 6'd0);
  wire        fill  = use_shift & arithmetic & ~left & (word_op ? a[31] : a[63]);
  wire        turns = use_shift & left;
  wire [63:0] kept;
  wire [7:0]  high_less, high_same, low_less;
  genvar i;
  generate
    for (i = 0; i < 8; i = i + 1) begin : digit
      // bit n of these constants is i < n and i == n; n is a digit of the limit
      localparam [7:0] LESS = 8'hfe << i;
      localparam [7:0] SAME = 8'h01 << i;
      assign high_less[i] = use_shift & (whole | LESS[limit[5:3]]);
      assign high_same[i] = use_shift & SAME[limit[5:3]];
      assign low_less[i]  = LESS[limit[2:0]];
    end
    for (i = 0; i < 64; i = i + 1) begin : bit_mask
      assign kept[i]   = turns ^ (high_less[i/8] | (high_same[i/8] & low_less[i%8]));
      assign picked[i] = logic_word[i] | (kept[i] ? rotated[i] : fill);
    end
  endgenerate
endmodule
`default_nettype wire
