// rv64_alu: adder, comparison, logic, and one rotator that serves the shifts and puts store bytes in their lanes.
//
// A shift is a rotation and a mask. With n the amount, a right shift rotates right by n and keeps bits below 64 - n
// (32 - n in a word operation); a left shift rotates right by -n and keeps bits from n up; the rest is 0 or the sign.
// A store rotates its word left by 8 * offset and masks nothing: the strobes do.
`default_nettype none
module rv64_alu (
  // operands
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
  // results
  output wire [63:0] sum,
  output wire        less,
  output wire        equal,
  output wire [63:0] logic_word,
  output wire [63:0] shifted,
  output wire [63:0] rotated
);
  // sum and comparison: a < b is the borrow, corrected when the signs differ and count. The signed forms are those with
  // funct3 010 (SLT), 100 and 101 (BLT, BGE); the unsigned have bit 0 (SLTU) or bit 1 (BLTU, BGEU) set.
  wire [64:0] wide = {1'b0, a} + {1'b0, b ^ {64{subtract}}} + {64'd0, subtract};
  wire        unsigned_less = is_branch ? funct3[1] : funct3[0];
  assign sum  = wide[63:0];
  assign less = (a[63] ^ b[63]) ? (unsigned_less ? b[63] : a[63]) : ~wide[64];

  // logic: funct3 100 xor, 110 or, 111 and; a branch looks at the xor
  wire use_or  = funct3[1] & ~funct3[0] & ~is_branch;
  wire use_and = funct3[1] &  funct3[0] & ~is_branch;
  assign logic_word = use_and ? a & b : use_or ? a | b : a ^ b;
  assign equal = logic_word == 64'd0;

  // rotation
  wire        left   = is_store | ~funct3[2];
  wire [5:0]  amount = is_store ? {sum[2:0], 3'b000} : {b[5] & ~word_op, b[4:0]};
  wire [5:0]  minus  = -amount;
  wire [5:0]  turn   = left ? minus : amount;
  wire [63:0] source = is_store ? store_word : a;
  wire [63:0] turn_1  = turn[0] ? {source[0],     source[63:1]}  : source;
  wire [63:0] turn_2  = turn[1] ? {turn_1[1:0],   turn_1[63:2]}  : turn_1;
  wire [63:0] turn_4  = turn[2] ? {turn_2[3:0],   turn_2[63:4]}  : turn_2;
  wire [63:0] turn_8  = turn[3] ? {turn_4[7:0],   turn_4[63:8]}  : turn_4;
  wire [63:0] turn_16 = turn[4] ? {turn_8[15:0],  turn_8[63:16]} : turn_8;
  assign      rotated = turn[5] ? {turn_16[31:0], turn_16[63:32]} : turn_16;

  // mask: below[i] is i < limit
  wire [5:0]  limit = left ? amount : {minus[5] & ~word_op, minus[4:0]};
  wire        whole = ~left & (amount == 6'd0);
  wire        fill  = arithmetic & ~left & (word_op ? a[31] : a[63]);
  wire [63:0] below;
  wire [7:0]  high_less, high_same, low_less;
  genvar i;
  /* verilator lint_off CMPCONST */
  generate
    for (i = 0; i < 8; i = i + 1) begin : digit
      localparam [2:0] D = i;
      assign high_less[i] = D <  limit[5:3];
      assign high_same[i] = D == limit[5:3];
      assign low_less[i]  = D <  limit[2:0];
    end
    for (i = 0; i < 64; i = i + 1) begin : bit_mask
      assign below[i]   = whole | high_less[i/8] | (high_same[i/8] & low_less[i%8]);
      assign shifted[i] = (below[i] ^ left) ? rotated[i] : fill;
    end
  endgenerate
  /* verilator lint_on CMPCONST */
endmodule
`default_nettype wire
