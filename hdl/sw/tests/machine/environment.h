// The environment of the riscv-tests convention for a program in machine mode, in our own words: what a program of the
// standard sets does before and after its test, so that those can be expected to run.
//
//   reset   at 0x8000_0000: every register 0, other harts parked, then registers that a machine may lack (NMI status, satp,
//           PMP, delegation), each behind a trap vector that skips it, then mret into the test with mtvec at `trap`
//   test    its number in gp; `fail` and `pass` end it with ecall
//   trap    ecall reports gp; else `handler`, when the test has one; else the test fails as its number | 1337
//   report  two 32-bit stores to `tohost`, the low half first, for ever
#define BEGIN \
  .section .text.init; \
  .weak handler; \
  .globl _start; \
_start: \
  j reset; \
  .align 2; \
trap: \
  csrr t5, mcause; \
  li t6, 8; \
  beq t5, t6, report; \
  li t6, 9; \
  beq t5, t6, report; \
  li t6, 11; \
  beq t5, t6, report; \
  la t5, handler; \
  beqz t5, 1f; \
  jr t5; \
1: \
  ori gp, gp, 1337; \
report: \
  sw gp, tohost, t5; \
  sw zero, tohost + 4, t5; \
  j report; \
reset: \
  ZERO_REGISTERS; \
  csrr a0, mhartid; \
1: \
  bnez a0, 1b; \
  MAY_TRAP(csrwi 0x744, 8);              /* mnstatus */ \
  MAY_TRAP(csrwi satp, 0); \
  li t1, (1 << 53) - 1; \
  li t2, 0x1f; \
  MAY_TRAP(csrw pmpaddr0, t1; csrw pmpcfg0, t2); \
  csrwi mie, 0; \
  MAY_TRAP(csrwi medeleg, 0; csrwi mideleg, 0); \
  li gp, 0; \
  la t0, trap; \
  csrw mtvec, t0; \
  csrwi mstatus, 0; \
  li a0, 0x1800; \
  csrs mstatus, a0; \
  la t0, test; \
  csrw mepc, t0; \
  csrr a0, mhartid; \
  mret; \
  .text; \
test:

// what comes after a trap is the next 4-aligned word behind the line
#define MAY_TRAP(...) \
  la t0, 1f; \
  csrw mtvec, t0; \
  __VA_ARGS__; \
  .align 2; \
1:

#define END \
  bnez gp, pass; \
fail: \
  fence; \
1: \
  beqz gp, 1b; \
  sll gp, gp, 1; \
  or gp, gp, 1; \
  ecall; \
pass: \
  fence; \
  li gp, 1; \
  ecall; \
  unimp; \
  .section .tohost, "aw", @progbits; \
  .align 6; \
  .globl tohost; \
tohost: \
  .dword 0; \
  .align 6; \
  .globl fromhost; \
fromhost: \
  .dword 0; \
  .text

.macro ZERO_REGISTERS
  .irp n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
  li x\n, 0
  .endr
.endm

// as test n, after the lines, the register holds the value
#define CHECK(n, register, value, ...) \
  li gp, n; \
  __VA_ARGS__; \
  li x7, value; \
  bne register, x7, fail

// a handler that lets the test `gp` trap with a cause and goes on behind the trapped instruction
.macro SKIP_TRAPS cause
  .align 2
  .globl handler
handler:
  csrr t0, mcause
  li t1, \cause
  bne t0, t1, fail
  csrr t0, mepc
  addi t0, t0, 4
  csrw mepc, t0
  addi s11, s11, 1           # how many there were
  mret
.endm
