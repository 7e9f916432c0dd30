// rv64_csrs: the machine-mode registers and counters. One is read and may be written in a clock; a trap or an mret
// updates several at once and never meets a write, because both take the one execute slot.
//
//   mstatus  MIE 3, MPIE 7, MPP 12:11 = 3 (there is no other mode)      mip, mie  3 software, 7 timer, 11 external
//   mtvec    direct mode only, bits 1:0 = 0                             mepc      bits 1:0 = 0
//   mmisalign (0x7c0, ours)  bit 0: 1 traps a misaligned load or store instead of doing it in two accesses
`default_nettype none
module rv64_csrs #(
  parameter MISA_CUSTOM = 1
) (
  input  wire        clk,
  input  wire        rst,
  // one CSR
  input  wire [3:0]  csr,
  output reg  [63:0] csr_word,
  input  wire        write,
  input  wire [63:0] write_word,
  // a trap is taken; an mret is done
  input  wire        trap,
  input  wire        trap_interrupt,      // with its value in write_word
  input  wire [3:0]  trap_cause,
  input  wire [31:0] trap_pc,
  input  wire        mret,
  // counting
  input  wire        retire,
  // interrupts
  input  wire        irq_software,
  input  wire        irq_timer,
  input  wire        irq_external,
  output wire        interrupt,
  output wire [3:0]  interrupt_cause,
  // settings
  output wire        trap_misaligned
);
  `include "rv64_codes.vh"

  reg        mie_bit, mpie_bit, misalign;
  reg [2:0]  enable;
  reg [31:0] mtvec, mepc;      // as in rv64_codes.vh
  reg        cause_interrupt;
  reg [3:0]  cause;
  reg [63:0] mscratch, mtval, mcycle, minstret;

  wire [2:0] pending = {irq_external, irq_timer, irq_software};
  wire [2:0] ready   = pending & enable;
  assign interrupt       = mie_bit & (ready != 3'd0);
  assign interrupt_cause = ready[2] ? 4'd11 : ready[0] ? 4'd3 : 4'd7;
  assign trap_misaligned = misalign;
  wire [31:0] written_pc = {|write_word[63:33], write_word[32:2]};

  always @*
    case (csr)
      CSR_MSTATUS:   csr_word = {51'd0, 2'b11, 3'd0, mpie_bit, 3'd0, mie_bit, 3'd0};
      CSR_MISA:      csr_word = 64'h8000_0000_0000_0100 | (MISA_CUSTOM ? 64'h80_0000 : 64'h0);
      CSR_MIE:       csr_word = {52'd0, enable[2], 3'd0, enable[1], 3'd0, enable[0], 3'd0};
      CSR_MIP:       csr_word = {52'd0, pending[2], 3'd0, pending[1], 3'd0, pending[0], 3'd0};
      CSR_MTVEC:     csr_word = {mtvec[31], 30'd0, mtvec[30:0], 2'b00};
      CSR_MSCRATCH:  csr_word = mscratch;
      CSR_MEPC:      csr_word = {mepc[31], 30'd0, mepc[30:0], 2'b00};
      CSR_MCAUSE:    csr_word = {cause_interrupt, 59'd0, cause};
      CSR_MTVAL:     csr_word = mtval;
      CSR_MCYCLE:    csr_word = mcycle;
      CSR_MINSTRET:  csr_word = minstret;
      CSR_PMPADDR0:  csr_word = 64'h003f_ffff_ffff_ffff;
      CSR_MMISALIGN: csr_word = {63'd0, misalign};
      default:       csr_word = 64'd0;
    endcase

  always @(posedge clk) begin
    // a written counter does not count in that clock, so the next instruction reads what was written
    mcycle <= (write & csr == CSR_MCYCLE) ? write_word : mcycle + 64'd1;
    if (write & csr == CSR_MINSTRET) minstret <= write_word;
    else                             minstret <= minstret + {63'd0, retire};

    if (write & csr == CSR_MSCRATCH)  mscratch <= write_word;
    if (write & csr == CSR_MTVEC)     mtvec    <= written_pc;
    if (write & csr == CSR_MMISALIGN) misalign <= write_word[0];
    if (write & csr == CSR_MIE)       enable   <= {write_word[11], write_word[7], write_word[3]};

    if (trap)                          mepc <= trap_pc;
    else if (write & csr == CSR_MEPC)  mepc <= written_pc;
    if (trap | (write & csr == CSR_MTVAL)) mtval <= write_word;

    if (trap)                           {cause_interrupt, cause} <= {trap_interrupt, trap_cause};
    else if (write & csr == CSR_MCAUSE) {cause_interrupt, cause} <= {write_word[63], write_word[3:0]};

    if (trap)                            {mpie_bit, mie_bit} <= {mie_bit, 1'b0};
    else if (mret)                       {mpie_bit, mie_bit} <= {1'b1, mpie_bit};
    else if (write & csr == CSR_MSTATUS) {mpie_bit, mie_bit} <= {write_word[7], write_word[3]};

    if (rst) begin
      {mpie_bit, mie_bit, misalign} <= 3'b000;
      enable   <= 3'd0;
      mtvec    <= 32'd0;
      mepc     <= 32'd0;
      {cause_interrupt, cause} <= 5'd0;
      mtval    <= 64'd0;
      mscratch <= 64'd0;
      mcycle   <= 64'd0;
      minstret <= 64'd0;
    end
  end
endmodule
`default_nettype wire
