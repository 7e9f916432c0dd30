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
  wire [63:0] ex_result, wb_word;
  wire [31:0] redirect_pc;

  // ------------------------------------------------------------------ fetch
  // `pc` is the address of the word that is in decode, in 32 bits; a decode that does not move asks for it again
  reg  [31:0] pc;
  reg         fetched;
  wire [31:0] pc_next, fetch_pc;
  assign pc_next      = {pc[31], 31'd0} | ({1'b0, pc[30:0]} + 32'd1);
  assign fetch_pc     = redirect ? redirect_pc : id_go ? pc_next : pc;
  assign ibus_valid   = ~rst;
  assign ibus_address = {fetch_pc[31], 30'd0, fetch_pc[30:0], 2'b00};
  always @(posedge clk)
    if (rst) begin
      pc      <= {|RESET_PC[63:33], RESET_PC[32:2]};
      fetched <= 1'b0;
    end else if (ibus_ready) begin
      pc      <= fetch_pc;
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
  reg  [31:0] ex_pc, ex_insn;
  reg  [33:0] ex_target;            // bit 33: not below 8 GiB
  reg  [63:0] ex_a, ex_b, ex_rs2;
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

  wire [63:0] pc_word = {pc[31], 30'd0, pc[30:0], 2'b00};
  // pc + immediate; beyond 8 GiB or below 0 is invalid, as is what was so before
  wire [33:0] target = {1'b0, pc[30:0], 2'b00} + immediate[33:0];

  wire issue = id_go & is_delta & ~id_trap;
  assign delta_load    = issue & (ibus_word[13:12] == 2'd0);
  assign delta_accum   = issue & (ibus_word[13:12] == 2'd1);
  assign delta_read    = issue & (ibus_word[13:12] == 2'd2);
  assign delta_swap    = issue & (ibus_word[13:12] == 2'd3);
  assign delta_keep    = ibus_word[25];
  assign delta_context = rs1_word[CONTEXT_BITS-1:0];
  assign delta_value   = rs2_word;

  // ------------------------------------------------------------------ execute
  wire [63:0] sum, picked, rotated, csr_word;
  wire        less, equal, trap_misaligned;
  rv64_alu execute (
    .a(ex_a), .b(ex_b), .store_word(ex_rs2), .funct3(ex_funct3), .subtract(ex_subtract), .arithmetic(ex_arithmetic),
    .word_op(ex_word), .is_store(ex_store), .is_branch(ex_branch),
    .use_logic(ex_alu == ALU_LOGIC), .use_shift(ex_alu == ALU_SHIFT),
    .sum(sum), .less(less), .equal(equal), .picked(picked), .rotated(rotated)
  );

  // jumps
  wire        taken    = ex_branch & ((ex_funct3[2] ? less : equal) ^ ex_funct3[0]);
  wire        jump     = ex_jump | ex_jalr | taken;
  wire        relative = ex_jump | ex_branch;
  // where to: also the value of a trap, the memory address or what decode put into the operands; bit 0 is cleared for jalr
  wire [63:0] jump_pc  = relative ? {ex_target[33], 30'd0, ex_target[32:0]} : {sum[63:1], sum[0] & ~ex_jalr};

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

  wire [63:0] turn_pc = (ex_trap | ex_mret) ? csr_word : jump_pc;
  assign redirect_pc = {|turn_pc[63:33], turn_pc[32:2]};
  wire   turns       = ex_trap | ex_mret | jump;
  assign ex_done     = ex_valid & ~late & dbus_ready & ~(turns & ~ibus_ready) & ~(first & ~ex_trap);
  assign redirect    = ex_done & turns;

  wire        traps = ex_done & ex_trap;
  wire        acts  = ex_done & ~ex_trap;

  // what a CSR instruction writes, or the value of a trap
  wire [1:0]  modify  = ex_trap ? 2'b00 : {ex_funct3[1], ex_funct3[0]};
  wire [63:0] csr_new = modify[1] ? (modify[0] ? csr_word & ~jump_pc : csr_word | jump_pc) : jump_pc;
  rv64_csrs csrs (
    .clk(clk), .rst(rst), .csr(ex_csr), .csr_word(csr_word),
    .write(acts & ex_is_csr & ex_csr_writes), .write_word(csr_new),
    .trap(traps), .trap_interrupt(ex_interrupt), .trap_cause(ex_cause), .trap_pc(ex_pc),
    .mret(acts & ex_mret), .retire(acts),
    .irq_software(irq_software), .irq_timer(irq_timer), .irq_external(irq_external),
    .interrupt(interrupt), .interrupt_cause(interrupt_cause), .trap_misaligned(trap_misaligned)
  );

  // the result: what is not asked for is 0, so that an OR joins them. The upper half of a word operation is the sign.
  wire        use_sum    = ex_alu == ALU_ADD;
  wire        use_link   = ex_alu == ALU_LINK;   // decode holds the next word, and its pc, while a jump is in execute
  wire        use_delta  = ex_alu == ALU_DELTA;
  wire [63:0] some       = ({{32{use_sum & ~ex_word}}, {32{use_sum}}} & sum) | {{32{~ex_word}} & picked[63:32], picked[31:0]} | csr_word;
  wire [63:0] most       = some | ({64{use_delta}} & delta_state) | ({64{use_link}} & pc_word) | {63'd0, less & (ex_alu == ALU_LESS)};
  assign ex_result = {most[63:32] | {32{ex_word & most[31]}}, most[31:0]};

  // A slot may have to go round again: an access that crosses takes its second address, 8 further; and a context answers
  // in the first clock of its slot, so one that has to wait keeps the answer as a sum.
  wire split = ex_valid & first & ~ex_trap & dbus_ready & ~late;
  wire keep  = ex_valid & use_delta & ~ex_trap & ~ex_done;
  wire again = split | keep;

  // operands; of a trap that decode found, their sum is its value: the pc, the illegal word, or 0
  wire value_pc   = ~interrupt & (ibus_fault | is_ebreak);
  wire value_insn = ~interrupt & ~ibus_fault & illegal;
  wire from_pc    = operand_pc | value_pc;

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
      ex_target     <= {target[33] | pc[31], target[32:0]};
      ex_load       <= is_load;
      ex_store      <= is_store;
      ex_branch     <= is_branch & ~id_trap;
      ex_jump       <= (is_jal | is_fence_i) & ~id_trap;
      ex_jalr       <= is_jalr & ~id_trap;
      ex_is_csr     <= is_csr;
      ex_csr_writes <= csr_writes;
      ex_mret       <= is_mret;
      ex_delta      <= is_delta;
      ex_word       <= word_op;
      ex_subtract   <= subtract & ~id_trap;
      ex_arithmetic <= arithmetic;
      ex_alu        <= alu;
      ex_second     <= 1'b0;
    end else if (late) begin
      ex_trap   <= 1'b1;
      ex_cause  <= late_cause;
      ex_csr    <= CSR_MTVEC;
      ex_writes <= 1'b0;
    end else begin
      if (split) ex_second <= 1'b1;
      if (keep)  ex_alu    <= ALU_ADD;
    end
    if (id_go & id_trap & ~value_pc) ex_a <= 64'd0;
    else if (id_go | again)
      ex_a <= (again | (rs1_ex & ~from_pc)) ? ex_result : from_pc ? pc_word : rs1_wb ? wb_word : rs1_stored;
    if (id_go)
      ex_b <= (id_trap & ~value_insn) ? 64'd0 : (operand_immediate ? immediate : rs2_word) ^ {64{subtract}};
    else if (again) ex_b <= {60'd0, split, 3'd0};
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
  wire [63:0] wb_rotated, wb_joined;
  rv64_load load (
    .bus_word(dbus_word), .first(wb_first_word), .result(wb_result), .is_load(wb_load),
    .second_beat(wb_second), .offset(wb_offset), .funct3(wb_funct3),
    .rotated(wb_rotated), .joined(wb_joined), .word(wb_word)
  );
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
  wire [31:0] after = turns ? redirect_pc : {ex_pc[31], 31'd0} | ({1'b0, ex_pc[30:0]} + 32'd1);
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
      wb_pc           <= {ex_pc[31], 30'd0, ex_pc[30:0], 2'b00};
      wb_pc_next      <= {after[31], 30'd0, after[30:0], 2'b00};
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
