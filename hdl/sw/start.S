# start.S: from reset to main(), and back to `tohost`. A trap that the program does not expect ends it as test 1337.
  .section .text.init
  .globl _start
_start:
  la sp, _stack
  la t0, trap
  csrw mtvec, t0
  call main
  # main's result: 0 passes, n fails as test n
  slli a0, a0, 1
  ori a0, a0, 1
finish:
  la t0, tohost
  sd a0, 0(t0)
1:
  j 1b
  .align 2
trap:
  li a0, (1337 << 1) | 1
  j finish

  .section .tohost, "aw", @progbits
  .align 6
  .globl tohost
tohost:
  .dword 0
  .globl fromhost
fromhost:
  .dword 0
