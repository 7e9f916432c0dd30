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
  // one CSR; `csr_next` is its code a clock before
  input  wire [3:0]  csr_next,
  input  wire [3:0]  csr,
  output wire [63:0] csr_word,
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
  reg [31:0] mepc;             // as in rv64_codes.vh
  reg        cause_interrupt;
  reg [3:0]  cause;
  reg [63:0] mcycle, minstret;

  // mscratch, mtvec (bit 63 set when any of 63:33 is) and mtval share a block RAM: one is read and one written in a clock. Word 0 stays 0. What a reset must
  // set is not among them.
  function [1:0] place(input [3:0] code);
    place = (code == CSR_MSCRATCH) ? 2'd1 : (code == CSR_MTVEC) ? 2'd2 : (code == CSR_MTVAL) ? 2'd3 : 2'd0;
  endfunction
  wire [31:0] written_pc = {|write_word[63:33], write_word[32:2]};
  (* ram_style = "block", no_rw_check *)   // a word is never read in the clock in which it is written
  reg  [63:0] kept [0:3];
  reg  [63:0] kept_word;
  wire [1:0]  kept_place = trap ? 2'd3 : place(csr);
  initial begin
    kept[0] = 64'd0; kept[1] = 64'd0; kept[2] = 64'd0; kept[3] = 64'd0;
  end
  always @(posedge clk) begin
    if ((trap | write) & kept_place != 2'd0)
      kept[kept_place] <= {write_word[63] | (kept_place == 2'd2 & written_pc[31]), write_word[62:0]};
    kept_word <= kept[place(csr_next)];
  end

  wire [2:0] pending = {irq_external, irq_timer, irq_software};
  wire [2:0] ready   = pending & enable;
  assign interrupt       = mie_bit & (ready != 3'd0);
  assign interrupt_cause = ready[2] ? 4'd11 : ready[0] ? 4'd3 : 4'd7;
  assign trap_misaligned = misalign;

  reg [63:0] rest;
  always @*
    case (csr)
      CSR_MSTATUS:   rest = {51'd0, 2'b11, 3'd0, mpie_bit, 3'd0, mie_bit, 3'd0};
      CSR_MISA:      rest = 64'h8000_0000_0000_0100 | (MISA_CUSTOM ? 64'h80_0000 : 64'h0);
      CSR_MIE:       rest = {52'd0, enable[2], 3'd0, enable[1], 3'd0, enable[0], 3'd0};
      CSR_MIP:       rest = {52'd0, pending[2], 3'd0, pending[1], 3'd0, pending[0], 3'd0};
      CSR_MEPC:      rest = {mepc[31], 30'd0, mepc[30:0], 2'b00};
      CSR_MCAUSE:    rest = {cause_interrupt, 59'd0, cause};
      CSR_MCYCLE:    rest = mcycle;
      CSR_MINSTRET:  rest = minstret;
      CSR_PMPADDR0:  rest = 64'h003f_ffff_ffff_ffff;
      CSR_MMISALIGN: rest = {63'd0, misalign};
      default:       rest = 64'd0;
    endcase
  // word 0 of the RAM is 0; bits 1:0 of mtvec are
  assign csr_word = rest | {kept_word[63:2], kept_word[1:0] & {2{csr != CSR_MTVEC}}};

  always @(posedge clk) begin
    // a written counter does not count in that clock, so the next instruction reads what was written
    mcycle <= (write & csr == CSR_MCYCLE) ? write_word : mcycle + 64'd1;
    if (write & csr == CSR_MINSTRET) minstret <= write_word;
    else                             minstret <= minstret + {63'd0, retire};

    if (write & csr == CSR_MMISALIGN) misalign <= write_word[0];
    if (write & csr == CSR_MIE)       enable   <= {write_word[11], write_word[7], write_word[3]};

    if (trap)                          mepc <= trap_pc;
    else if (write & csr == CSR_MEPC)  mepc <= written_pc;

    if (trap)                           {cause_interrupt, cause} <= {trap_interrupt, trap_cause};
    else if (write & csr == CSR_MCAUSE) {cause_interrupt, cause} <= {write_word[63], write_word[3:0]};

    if (trap)                            {mpie_bit, mie_bit} <= {mie_bit, 1'b0};
    else if (mret)                       {mpie_bit, mie_bit} <= {1'b1, mpie_bit};
    else if (write & csr == CSR_MSTATUS) {mpie_bit, mie_bit} <= {write_word[7], write_word[3]};

    if (rst) begin
      {mpie_bit, mie_bit, misalign} <= 3'b000;
      enable   <= 3'd0;
      mepc     <= 32'd0;
      {cause_interrupt, cause} <= 5'd0;
      mcycle   <= 64'd0;
      minstret <= 64'd0;
    end
  end
endmodule
`default_nettype wire
