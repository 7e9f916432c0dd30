// rv64_decode: one instruction word in, the control of one pipeline slot out. No state.
//
// Everything that is not RV64I, Zicsr, Zifencei, mret, wfi or custom-0 is `illegal`, and so is a CSR that does not exist
// or that is read-only and would be written. When `illegal` is 1 the core looks at nothing else.
//
//   custom-0 (opcode 0001011), funct7 = 0 except keep:
//   funct3  0 LOAD   1 ACCUM   2 READ   3 SWAP (funct7 = 1: keep, the state becomes the reference)
`default_nettype none
module rv64_decode (
  input  wire [31:0] insn,
  // registers
  output wire [4:0]  rs1,
  output wire [4:0]  rs2,
  output wire [4:0]  rd,
  output wire        uses_rs1,
  output wire        uses_rs2,
  output wire        writes_rd,
  // operands
  output reg  [63:0] immediate,
  output wire        operand_pc,
  output wire        operand_immediate,
  // what the slot does
  output wire        is_load,
  output wire        is_store,
  output wire        is_branch,
  output wire        is_jal,
  output wire        is_jalr,
  output wire        is_fence_i,
  output wire        is_csr,
  output wire        is_mret,
  output wire        is_ecall,
  output wire        is_ebreak,
  output wire        is_delta,
  output wire        word_op,
  output reg  [2:0]  alu,
  output wire        subtract,
  output wire        arithmetic,
  output reg  [3:0]  csr,
  output wire        csr_writes,
  output wire        illegal
);
  `include "rv64_codes.vh"

  wire [6:0] opcode = insn[6:0];
  wire [2:0] funct3 = insn[14:12];
  wire [6:0] funct7 = insn[31:25];

  wire op_load   = opcode == 7'b0000011;
  wire op_delta  = opcode == 7'b0001011;
  wire op_fence  = opcode == 7'b0001111;
  wire op_imm    = opcode == 7'b0010011;
  wire op_auipc  = opcode == 7'b0010111;
  wire op_imm_w  = opcode == 7'b0011011;
  wire op_store  = opcode == 7'b0100011;
  wire op_reg    = opcode == 7'b0110011;
  wire op_lui    = opcode == 7'b0110111;
  wire op_reg_w  = opcode == 7'b0111011;
  wire op_branch = opcode == 7'b1100011;
  wire op_jalr   = opcode == 7'b1100111;
  wire op_jal    = opcode == 7'b1101111;
  wire op_system = opcode == 7'b1110011;

  wire shift       = funct3[1:0] == 2'b01;
  wire csr_op      = op_system & (funct3[1:0] != 2'b00);
  wire csr_zimm    = funct3[2];
  wire any_imm     = op_imm | op_imm_w;
  wire any_reg     = op_reg | op_reg_w;

  assign rs1 = (op_lui | (csr_op & csr_zimm)) ? 5'd0 : insn[19:15];
  assign rs2 = insn[24:20];
  assign rd  = insn[11:7];
  assign uses_rs1  = any_imm | any_reg | op_load | op_store | op_branch | op_jalr | op_delta | (csr_op & ~csr_zimm);
  assign uses_rs2  = any_reg | op_store | op_branch | op_delta;
  assign writes_rd = any_imm | any_reg | op_load | op_lui | op_auipc | op_jal | op_jalr | op_delta | csr_op;

  // immediates; a CSR instruction's source goes through the adder as x[rs1] + 0 or 0 + zimm
  always @* begin
    case (1'b1)
      op_store:         immediate = {{52{insn[31]}}, insn[31:25], insn[11:7]};
      op_branch:        immediate = {{52{insn[31]}}, insn[7], insn[30:25], insn[11:8], 1'b0};
      op_jal:           immediate = {{44{insn[31]}}, insn[19:12], insn[20], insn[30:21], 1'b0};
      op_lui, op_auipc: immediate = {{32{insn[31]}}, insn[31:12], 12'b0};
      op_system:        immediate = csr_zimm ? {59'd0, insn[19:15]} : 64'd0;
      op_fence:         immediate = 64'd4;
      default:          immediate = {{52{insn[31]}}, insn[31:20]};
    endcase
    if (illegal) immediate = {32'd0, insn};   // the value of its trap
  end
  assign operand_pc        = op_auipc;
  assign operand_immediate = ~(any_reg | op_branch) | illegal;

  assign is_load    = op_load;
  assign is_store   = op_store;
  assign is_branch  = op_branch;
  assign is_jal     = op_jal;
  assign is_jalr    = op_jalr;
  assign is_fence_i = op_fence & funct3[0];
  assign is_csr     = csr_op;
  assign is_delta   = op_delta;
  assign word_op    = op_imm_w | op_reg_w;

  // which result; a branch needs the difference and the XOR of its operands
  always @* begin
    alu = ALU_ADD;
    if (any_imm | any_reg)
      case (funct3)
        3'b000:         alu = ALU_ADD;
        3'b001, 3'b101: alu = ALU_SHIFT;
        3'b010, 3'b011: alu = ALU_LESS;
        default:        alu = ALU_LOGIC;
      endcase
    if (op_jal | op_jalr) alu = ALU_LINK;
    if (csr_op)           alu = ALU_CSR;
    if (op_delta)         alu = ALU_DELTA;
  end
  assign subtract   = ~illegal & ((any_reg & funct3 == 3'b000 & insn[30]) | op_branch | ((any_imm | any_reg) & funct3[2:1] == 2'b01));
  assign arithmetic = insn[30];

  // system
  wire exact = op_system & (funct3 == 3'b000) & (insn[19:7] == 13'd0);
  assign is_ecall  = exact & (insn[31:20] == 12'h000);
  assign is_ebreak = exact & (insn[31:20] == 12'h001);
  assign is_mret   = exact & (insn[31:20] == 12'h302);
  wire   is_wfi    = exact & (insn[31:20] == 12'h105);

  // CSRs: address to code; CSR_ZERO is there, reads 0 and ignores writes
  reg csr_exists;
  always @* begin
    csr_exists = 1'b1;
    csr = CSR_ZERO;
    casez (insn[31:20])
      12'h300: csr = CSR_MSTATUS;
      12'h301: csr = CSR_MISA;
      12'h304: csr = CSR_MIE;
      12'h305: csr = CSR_MTVEC;
      12'b0011_001?_????: csr_exists = insn[24:20] == 5'd0 | insn[24:20] > 5'd2;   // mcountinhibit, mhpmevent3 to 31
      12'h340: csr = CSR_MSCRATCH;
      12'h341: csr = CSR_MEPC;
      12'h342: csr = CSR_MCAUSE;
      12'h343: csr = CSR_MTVAL;
      12'h344: csr = CSR_MIP;
      12'h3a0: csr = CSR_ZERO;                                   // pmpcfg0: entry 0 is off for ever
      12'h3b0: csr = CSR_PMPADDR0;
      12'h7a0, 12'h7a1, 12'h7a2, 12'h7a3: csr = CSR_ZERO;        // tselect, tdata1 to 3: no trigger
      12'h7c0: csr = CSR_MMISALIGN;
      12'hc00, 12'hc01: csr = CSR_MCYCLE;                        // time counts clocks too
      12'hc02: csr = CSR_MINSTRET;
      12'b1011_000?_????: begin                                  // mcycle, minstret, mhpmcounter3 to 31
        csr = insn[24:20] == 5'd0 ? CSR_MCYCLE : insn[24:20] == 5'd2 ? CSR_MINSTRET : CSR_ZERO;
        csr_exists = insn[24:20] != 5'd1;
      end
      12'hf11, 12'hf12, 12'hf13, 12'hf14, 12'hf15: csr = CSR_ZERO;
      default: csr_exists = 1'b0;
    endcase
    if (~csr_op) csr = is_mret ? CSR_MEPC : CSR_ZERO;   // 0 is ORed into the results of the others
  end
  assign csr_writes = ~funct3[1] | (insn[19:15] != 5'd0);
  wire csr_bad = ~csr_exists | ((insn[31:30] == 2'b11) & csr_writes);

  // the instructions that exist
  wire shift_imm_ok   = ~shift | (insn[31:26] == 6'd0) | (funct3[2] & insn[31:26] == 6'b010000);
  wire shift_imm_w_ok = (funct3 == 3'b000) | (shift & (funct7 == 7'd0 | (funct3[2] & funct7 == 7'b0100000)));
  wire reg_ok         = (funct7 == 7'd0) | (funct7 == 7'b0100000 & (funct3 == 3'b000 | funct3 == 3'b101));
  wire reg_w_ok       = reg_ok & (funct3 == 3'b000 | shift);
  wire legal =
      (op_load   & funct3 != 3'b111)
    | (op_store  & ~funct3[2])
    | (op_branch & funct3[2:1] != 2'b01)
    | op_jal | op_lui | op_auipc
    | (op_jalr   & funct3 == 3'b000)
    | (op_fence  & funct3[2:1] == 2'b00)
    | (op_imm    & shift_imm_ok)
    | (op_imm_w  & shift_imm_w_ok)
    | (op_reg    & reg_ok)
    | (op_reg_w  & reg_w_ok)
    | (op_delta  & ~funct3[2] & (funct7 == 7'd0 | (funct7 == 7'd1 & funct3 == 3'b011)))
    | (csr_op    & ~csr_bad)
    | is_ecall | is_ebreak | is_mret | is_wfi;
  assign illegal = ~legal;
endmodule
`default_nettype wire
