// rv64_core: RV64I, Zicsr, Zifencei, machine mode, and LOAD ACCUM READ SWAP as custom-0. Four stages, in order.
//
//   fetch           decode                    execute                            write back
//   ibus address -> ibus word, registers, --> ALU, CSR, branch, dbus address --> dbus word or result -> register
//                   forwarding                contexts answer
//
// Operands are forwarded at the end of decode, so a context's number is known a clock before execute and the contexts'
// block RAM is read on that edge: the four operations take a slot each and their result is forwarded like that of ADD.
// Everything takes effect at the end of execute or not at all; a fault found there marks the slot and it becomes a trap
// slot a clock later. Clocks beyond one an instruction: a taken jump 1, a use right after its load 1, a CSR instruction 1,
// a trap 2, an access that crosses 8 bytes 1, and the waits of the buses.
//
// Bus rule, both buses: an address is taken at the end of a clock in which `ready` is 1; from the next clock on, its word
// is expected, and the clock in which `ready` is 1 again carries it. `dbus_fault` answers the address itself, in its clock;
// `ibus_fault` comes with the word. A store's answer is `ready` alone.
//
// Invariant (formal/core.sv, bench/lockstep): every retired instruction does what the specification says.
`default_nettype none
module rv64_core #(
  parameter [63:0] RESET_PC = 64'h0000_0000_8000_0000,
  parameter CONTEXT_BITS = 5
) (
  input  wire                    clk,
  input  wire                    rst,
  // instruction bus
  output wire                    ibus_valid,
  output wire [63:0]             ibus_address,
  input  wire [31:0]             ibus_word,
  input  wire                    ibus_fault,
  input  wire                    ibus_ready,
  // data bus
  output wire                    dbus_valid,
  output wire                    dbus_write,
  output wire [63:0]             dbus_address,
  output wire [7:0]              dbus_strobe,
  output wire [63:0]             dbus_write_word,
  input  wire [63:0]             dbus_word,
  input  wire                    dbus_fault,
  input  wire                    dbus_ready,
  // interrupts
  input  wire                    irq_software,
  input  wire                    irq_timer,
  input  wire                    irq_external,
  // contexts: a command in decode, the state before it a clock later
  output wire                    delta_load,
  output wire                    delta_accum,
  output wire                    delta_read,
  output wire                    delta_swap,
  output wire                    delta_keep,
  output wire [CONTEXT_BITS-1:0] delta_context,
  output wire [63:0]             delta_value,
  input  wire [63:0]             delta_state
`ifdef RVFI
  , output reg         rvfi_valid,
  output reg  [63:0]   rvfi_order,
  output reg  [31:0]   rvfi_insn,
  output reg           rvfi_trap,
  output reg           rvfi_intr,
  output reg  [3:0]    rvfi_intr_cause,
  output reg  [4:0]    rvfi_rs1_addr,
  output reg  [4:0]    rvfi_rs2_addr,
  output reg  [63:0]   rvfi_rs1_rdata,
  output reg  [63:0]   rvfi_rs2_rdata,
  output reg  [4:0]    rvfi_rd_addr,
  output reg  [63:0]   rvfi_rd_wdata,
  output reg  [63:0]   rvfi_pc_rdata,
  output reg  [63:0]   rvfi_pc_wdata,
  output reg  [63:0]   rvfi_mem_addr,
  output reg  [7:0]    rvfi_mem_rmask,
  output reg  [7:0]    rvfi_mem_wmask,
  output reg  [63:0]   rvfi_mem_rdata,
  output reg  [63:0]   rvfi_mem_wdata
`endif
);
  `include "rv64_codes.vh"

  // ------------------------------------------------------------------ wires between the stages
  wire        id_go, ex_done, redirect;
  wire [63:0] ex_result, wb_word, redirect_pc;

  // ------------------------------------------------------------------ fetch
  // `pc` is the address of the word that is in decode; a decode that does not move asks for it again
  reg  [61:0] pc;
  reg         fetched;
  wire [61:0] pc_next = pc + 62'd1;
  assign ibus_valid   = ~rst;
  assign ibus_address = {redirect ? redirect_pc[63:2] : id_go ? pc_next : pc, 2'b00};
  always @(posedge clk)
    if (rst) begin
      pc      <= RESET_PC[63:2];
      fetched <= 1'b0;
    end else if (ibus_ready) begin
      pc      <= ibus_address[63:2];
      fetched <= 1'b1;
    end

  // ------------------------------------------------------------------ decode
  wire [4:0]  rs1, rs2, rd;
  wire [63:0] immediate, rs1_stored, rs2_stored;
  wire        uses_rs1, uses_rs2, writes_rd, operand_pc, operand_immediate;
  wire        is_load, is_store, is_branch, is_jal, is_jalr, is_fence_i, is_csr, is_mret, is_ecall, is_ebreak, is_delta;
  wire        word_op, subtract, arithmetic, csr_writes, illegal;
  wire [2:0]  alu;
  wire [3:0]  csr;
  rv64_decode decode (
    .insn(ibus_word), .rs1(rs1), .rs2(rs2), .rd(rd), .uses_rs1(uses_rs1), .uses_rs2(uses_rs2), .writes_rd(writes_rd),
    .immediate(immediate), .operand_pc(operand_pc), .operand_immediate(operand_immediate),
    .is_load(is_load), .is_store(is_store), .is_branch(is_branch), .is_jal(is_jal), .is_jalr(is_jalr),
    .is_fence_i(is_fence_i), .is_csr(is_csr), .is_mret(is_mret), .is_ecall(is_ecall), .is_ebreak(is_ebreak),
    .is_delta(is_delta), .word_op(word_op), .alu(alu), .subtract(subtract), .arithmetic(arithmetic),
    .csr(csr), .csr_writes(csr_writes), .illegal(illegal)
  );

  // the execute slot
  reg         ex_valid, ex_trap, ex_interrupt, ex_writes, ex_second;
  reg  [3:0]  ex_cause, ex_csr;
  reg  [61:0] ex_pc;
  reg  [31:0] ex_insn;
  reg  [63:0] ex_a, ex_b, ex_rs2, ex_target;
  reg         ex_load, ex_store, ex_branch, ex_jump, ex_jalr, ex_is_csr, ex_csr_writes, ex_mret, ex_delta;
  reg         ex_word, ex_subtract, ex_arithmetic;
  reg  [2:0]  ex_alu;
  wire [4:0]  ex_rd     = ex_insn[11:7];
  wire [2:0]  ex_funct3 = ex_insn[14:12];

  // the write-back slot
  reg         wb_writes, wb_load, wb_second, wb_first;
  reg  [4:0]  wb_rd;
  reg  [2:0]  wb_offset, wb_funct3;
  reg  [63:0] wb_result, wb_first_word;

  initial begin ex_valid = 1'b0; ex_writes = 1'b0; wb_writes = 1'b0; wb_first = 1'b0; end
  rv64_regs registers (
    .clk(clk), .rs1(rs1), .rs2(rs2), .rs1_word(rs1_stored), .rs2_word(rs2_stored),
    .write(wb_writes & dbus_ready), .rd(wb_rd), .rd_word(wb_word)
  );

  // newest first: execute, write back, register file
  wire rs1_ex = ex_writes & (ex_rd == rs1);
  wire rs2_ex = ex_writes & (ex_rd == rs2);
  wire rs1_wb = wb_writes & (wb_rd == rs1);
  wire rs2_wb = wb_writes & (wb_rd == rs2);
  wire [63:0] rs1_word = rs1_ex ? ex_result : rs1_wb ? wb_word : rs1_stored;
  wire [63:0] rs2_word = rs2_ex ? ex_result : rs2_wb ? wb_word : rs2_stored;

  wire        interrupt;
  wire [3:0]  interrupt_cause;
  wire        id_trap = interrupt | ibus_fault | illegal | is_ecall | is_ebreak;
  wire [3:0]  id_cause = interrupt ? interrupt_cause : ibus_fault ? 4'd1 : illegal ? 4'd2 : is_ebreak ? 4'd3 : 4'd11;
  wire        load_use = ex_load & ((rs1_ex & uses_rs1) | (rs2_ex & uses_rs2));
  wire        hold     = ex_valid & (load_use | ex_is_csr);
  assign id_go = fetched & ibus_ready & dbus_ready & ~hold & (~ex_valid | ex_done) & ~redirect;

  wire [63:0] target = {pc, 2'b00} + immediate;

  wire issue = id_go & is_delta & ~id_trap;
  assign delta_load    = issue & (ibus_word[13:12] == 2'd0);
  assign delta_accum   = issue & (ibus_word[13:12] == 2'd1);
  assign delta_read    = issue & (ibus_word[13:12] == 2'd2);
  assign delta_swap    = issue & (ibus_word[13:12] == 2'd3);
  assign delta_keep    = ibus_word[25];
  assign delta_context = rs1_word[CONTEXT_BITS-1:0];
  assign delta_value   = rs2_word;

  // ------------------------------------------------------------------ execute
  wire [63:0] sum, logic_word, shifted, rotated, csr_word;
  wire        less, equal, trap_misaligned;
  rv64_alu execute (
    .a(ex_a), .b(ex_b), .store_word(ex_rs2), .funct3(ex_funct3), .subtract(ex_subtract), .arithmetic(ex_arithmetic),
    .word_op(ex_word), .is_store(ex_store), .is_branch(ex_branch),
    .sum(sum), .less(less), .equal(equal), .logic_word(logic_word), .shifted(shifted), .rotated(rotated)
  );

  // jumps
  wire        taken    = ex_branch & ((ex_funct3[2] ? less : equal) ^ ex_funct3[0]);
  wire        jump     = ex_jump | ex_jalr | taken;
  wire [63:0] jump_pc  = ex_jalr ? {sum[63:1], 1'b0} : ex_target;

  // memory
  wire        memory   = ex_load | ex_store;
  wire [2:0]  offset   = sum[2:0];
  wire [7:0]  size     = {{4{ex_funct3[1:0] == 2'd3}}, {2{ex_funct3[1]}}, |ex_funct3[1:0], 1'b1};
  wire [14:0] lanes    = {7'd0, size} << offset;
  wire        crosses  = |lanes[14:8];
  wire        unaligned = (size[1] & offset[0]) | (size[2] & offset[1]) | (size[4] & offset[2]);
  wire        refused  = memory & trap_misaligned & unaligned;
  wire        first    = memory & crosses & ~ex_second;
  assign dbus_valid      = ex_valid & ~ex_trap & memory & ~refused;
  assign dbus_write      = ex_store;
  assign dbus_address    = {sum[63:3], 3'b000};
  assign dbus_strobe     = ex_second ? {1'b0, lanes[14:8]} : lanes[7:0];
  assign dbus_write_word = rotated;

  // a fault found here turns the slot into a trap slot, which acts a clock later
  wire late_jump = jump & jump_pc[1];
  wire late      = ex_valid & ~ex_trap & (refused | (memory & dbus_fault) | late_jump);
  wire [3:0] late_cause = late_jump ? 4'd0 : {1'b0, 1'b1, ex_store, ~refused};

  assign redirect_pc = (ex_trap | ex_mret) ? csr_word : jump_pc;
  wire   turns       = ex_trap | ex_mret | jump;
  assign ex_done     = ex_valid & ~late & dbus_ready & ~(turns & ~ibus_ready) & ~(first & ~ex_trap);
  assign redirect    = ex_done & turns;

  wire        traps = ex_done & ex_trap;
  wire        acts  = ex_done & ~ex_trap;
  reg  [63:0] trap_value;
  always @*
    case (ex_cause)
      4'd0:                   trap_value = jump_pc;
      4'd1, 4'd3:             trap_value = {ex_pc, 2'b00};
      4'd2:                   trap_value = {32'd0, ex_insn};
      4'd4, 4'd5, 4'd6, 4'd7: trap_value = sum;
      default:                trap_value = 64'd0;
    endcase

  wire [63:0] csr_new = ex_funct3[1] ? (ex_funct3[0] ? csr_word & ~sum : csr_word | sum) : sum;
  rv64_csrs csrs (
    .clk(clk), .rst(rst), .csr(ex_csr), .csr_word(csr_word),
    .write(acts & ex_is_csr & ex_csr_writes), .write_word(csr_new),
    .trap(traps), .trap_interrupt(ex_interrupt), .trap_cause(ex_cause), .trap_pc(ex_pc),
    .trap_value(ex_interrupt ? 64'd0 : trap_value), .mret(acts & ex_mret), .retire(acts),
    .irq_software(irq_software), .irq_timer(irq_timer), .irq_external(irq_external),
    .interrupt(interrupt), .interrupt_cause(interrupt_cause), .trap_misaligned(trap_misaligned)
  );

  // a context answers in the first clock of its slot; a slot that has to wait keeps the answer
  reg         ex_answered;
  reg  [63:0] delta_held;
  wire [63:0] delta_word = ex_answered ? delta_held : delta_state;
  always @(posedge clk) begin
    ex_answered <= ex_valid & ex_delta & ~ex_done;
    delta_held  <= delta_word;
  end

  reg [63:0] result;
  always @* begin
    case (ex_alu)
      ALU_ADD:   result = sum;
      ALU_LESS:  result = {63'd0, less};
      ALU_LOGIC: result = logic_word;
      ALU_SHIFT: result = shifted;
      ALU_LINK:  result = {pc, 2'b00};       // decode holds the next word while a jump is in execute
      ALU_CSR:   result = csr_word;
      default:   result = delta_word;
    endcase
  end
  assign ex_result = {ex_word ? {32{result[31]}} : result[63:32], result[31:0]};

  always @(posedge clk) begin
    if (id_go) begin
      ex_trap       <= id_trap;
      ex_interrupt  <= interrupt;
      ex_cause      <= id_cause;
      ex_csr        <= id_trap ? CSR_MTVEC : csr;
      ex_writes     <= writes_rd & (rd != 5'd0) & ~id_trap;
      ex_pc         <= pc;
      ex_insn       <= ibus_word;
      ex_rs2        <= rs2_word;
      ex_target     <= target;
      ex_a          <= operand_pc ? {pc, 2'b00} : rs1_word;
      ex_b          <= operand_immediate ? immediate : rs2_word;
      ex_load       <= is_load;
      ex_store      <= is_store;
      ex_branch     <= is_branch;
      ex_jump       <= is_jal | is_fence_i;
      ex_jalr       <= is_jalr;
      ex_is_csr     <= is_csr;
      ex_csr_writes <= csr_writes;
      ex_mret       <= is_mret;
      ex_delta      <= is_delta;
      ex_word       <= word_op;
      ex_subtract   <= subtract;
      ex_arithmetic <= arithmetic;
      ex_alu        <= alu;
      ex_second     <= 1'b0;
    end else if (late) begin
      ex_trap   <= 1'b1;
      ex_cause  <= late_cause;
      ex_csr    <= CSR_MTVEC;
      ex_writes <= 1'b0;
    end else if (ex_valid & first & ~ex_trap & dbus_ready) begin
      ex_second <= 1'b1;
      ex_a      <= sum;
      ex_b      <= 64'd8;
    end
    if (id_go) ex_valid <= 1'b1;
    else if (ex_done) begin
      ex_valid  <= 1'b0;
      ex_writes <= 1'b0;
    end
    if (rst) begin
      ex_valid  <= 1'b0;
      ex_writes <= 1'b0;
    end
  end

  // ------------------------------------------------------------------ write back
  wire [63:0] wb_rotated, wb_joined, wb_loaded;
  rv64_load load (
    .bus_word(dbus_word), .first(wb_first_word), .second_beat(wb_second), .offset(wb_offset), .funct3(wb_funct3),
    .rotated(wb_rotated), .joined(wb_joined), .loaded(wb_loaded)
  );
  assign wb_word = wb_load ? wb_loaded : wb_result;
  always @(posedge clk)
    if (rst) begin
      wb_writes <= 1'b0;
      wb_first  <= 1'b0;
    end else if (dbus_ready) begin
      wb_writes <= acts & ex_writes;
      wb_first  <= dbus_valid & first;
      wb_rd     <= ex_rd;
      wb_load   <= ex_load;
      wb_second <= ex_second;
      wb_offset <= offset;
      wb_funct3 <= ex_funct3;
      wb_result <= ex_result;
      if (wb_first) wb_first_word <= wb_rotated;
    end

`ifdef RVFI
  // ------------------------------------------------------------------ retirement, for the benches and the proofs
  // An instruction is reported when it leaves write back; a trapped one too, with rvfi_trap; an interrupt marks the next.
  // mem_addr is the effective address, masks and data count from it, whatever the bus made of it.
  reg  [3:0]  wb_intr_cause, intr_next_cause;
  reg         wb_valid, wb_trap, wb_intr, intr_next, wb_memory_load, wb_memory_store;
  reg  [31:0] wb_insn;
  reg  [4:0]  ex_rs1_addr, ex_rs2_addr, wb_rs1_addr, wb_rs2_addr;
  reg  [63:0] ex_rs1_rdata, ex_rs2_rdata, ex_first_address, wb_rs1_rdata, wb_rs2_rdata, wb_pc, wb_pc_next, wb_address, wb_rs2;
  reg  [7:0]  wb_size;
  wire [7:0]  wb_mask = wb_size;
  wire [63:0] wb_bits = {{8{wb_mask[7]}}, {8{wb_mask[6]}}, {8{wb_mask[5]}}, {8{wb_mask[4]}},
                         {8{wb_mask[3]}}, {8{wb_mask[2]}}, {8{wb_mask[1]}}, {8{wb_mask[0]}}};
  always @(posedge clk) begin
    if (id_go) begin
      ex_rs1_addr  <= uses_rs1 ? rs1 : 5'd0;
      ex_rs2_addr  <= uses_rs2 ? rs2 : 5'd0;
      ex_rs1_rdata <= uses_rs1 ? rs1_word : 64'd0;
      ex_rs2_rdata <= uses_rs2 ? rs2_word : 64'd0;
    end
    if (ex_valid & ~ex_second) ex_first_address <= sum;
    if (dbus_ready) begin
      wb_valid        <= ex_done & ~(ex_trap & ex_interrupt);
      wb_trap         <= ex_trap;
      wb_intr         <= intr_next;
      wb_intr_cause   <= intr_next_cause;
      wb_insn         <= ex_insn;
      wb_rs1_addr     <= ex_rs1_addr;
      wb_rs2_addr     <= ex_rs2_addr;
      wb_rs1_rdata    <= ex_rs1_rdata;
      wb_rs2_rdata    <= ex_rs2_rdata;
      wb_pc           <= {ex_pc, 2'b00};
      wb_pc_next      <= turns ? {redirect_pc[63:2], 2'b00} : {ex_pc + 62'd1, 2'b00};
      wb_memory_load  <= ex_load & ~ex_trap;
      wb_memory_store <= ex_store & ~ex_trap;
      wb_address      <= ex_second ? ex_first_address : sum;
      wb_rs2          <= ex_rs2;
      wb_size         <= size;
      if (ex_done) intr_next <= ex_trap & ex_interrupt;
      if (ex_done) intr_next_cause <= ex_cause;
    end
    rvfi_valid     <= wb_valid & dbus_ready;
    if (wb_valid & dbus_ready) rvfi_order <= rvfi_order + 64'd1;
    rvfi_insn      <= wb_insn;
    rvfi_trap      <= wb_trap;
    rvfi_intr      <= wb_intr;
    rvfi_intr_cause <= wb_intr_cause;
    rvfi_rs1_addr  <= wb_rs1_addr;
    rvfi_rs2_addr  <= wb_rs2_addr;
    rvfi_rs1_rdata <= wb_rs1_rdata;
    rvfi_rs2_rdata <= wb_rs2_rdata;
    rvfi_rd_addr   <= wb_writes ? wb_rd : 5'd0;
    rvfi_rd_wdata  <= wb_writes ? wb_word : 64'd0;
    rvfi_pc_rdata  <= wb_pc;
    rvfi_pc_wdata  <= wb_pc_next;
    rvfi_mem_addr  <= (wb_memory_load | wb_memory_store) ? wb_address : 64'd0;
    rvfi_mem_rmask <= wb_memory_load ? wb_mask : 8'd0;
    rvfi_mem_wmask <= wb_memory_store ? wb_mask : 8'd0;
    rvfi_mem_rdata <= wb_memory_load ? wb_joined & wb_bits : 64'd0;
    rvfi_mem_wdata <= wb_memory_store ? wb_rs2 & wb_bits : 64'd0;
    if (rst) begin
      wb_valid   <= 1'b0;
      intr_next  <= 1'b0;
      rvfi_valid <= 1'b0;
      rvfi_order <= 64'd0;
    end
  end
`endif
endmodule
`default_nettype wire
