// traffic_bench: delta_table or delta_fold under seeded random traffic, every port busy every clock. For Verilator.
//
//   traffic_bench SEED CLOCKS
//
// Both sides draw from the same xorshift32 in the same order (bench/traffic.ts), so only results cross: 8 bytes each on
// stdout, in the order in which they come out. At the end every context is read, then come 16 bytes: deltas accepted,
// clocks of traffic.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>
#include "verilated.h"
#ifdef FOLD
#include "Vdelta_fold.h"
typedef Vdelta_fold Top;
#else
#include "Vdelta_table.h"
typedef Vdelta_table Top;
#endif

static uint32_t state;
static uint32_t draw() { state ^= state << 13; state ^= state >> 17; state ^= state << 5; return state; }

// a port of any width takes its bytes from `from`
template <typename Port> static void put(Port &port, const std::vector<uint8_t> &from) {
  memcpy((void *)&port, from.data(), from.size() < sizeof port ? from.size() : sizeof port);
}
static void put_bits(std::vector<uint8_t> &to, unsigned at, unsigned bits, uint64_t word) {
  for (unsigned i = 0; i < bits; i++) {
    if (word >> i & 1) to[(at + i) / 8] |= uint8_t(1 << (at + i) % 8);
    else to[(at + i) / 8] &= uint8_t(~(1 << (at + i) % 8));
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  state = strtoul(argv[1], 0, 0);
  const uint64_t clocks = strtoull(argv[2], 0, 0);
  setvbuf(stdout, 0, _IOFBF, 1 << 20);
  Top top;
  uint64_t accepted = 0;
  std::vector<uint8_t> words(PORTS * 8 + 8, 0), ports(PORTS / 8 + 8, 0);
#ifdef FOLD
  top.rst = 1; top.advance = 1; top.valid = 0;
  for (int i = 0; i < 2; i++) { top.clk = 0; top.eval(); top.clk = 1; top.eval(); }
  top.rst = 0;
  uint64_t t = 0;
  // a beat is drawn once and held while `advance` is low
  bool fresh = true;
  for (uint64_t beats = 0; beats < clocks || t < 0; t++) {
    if (fresh) {
      uint32_t shape = draw();
      top.valid = 1;
      top.last = shape % 7 == 0;
      for (unsigned p = 0; p < PORTS; p++) {
        uint64_t word = draw(); word |= uint64_t(draw()) << 32;
        memcpy(&words[8 * p], &word, 8);
        bool keep = shape & 0x100 ? draw() % 4 != 0 : true;
        put_bits(ports, p, 1, keep);
        accepted += keep;
      }
      put(top.words, words);
      put(top.keep, ports);
    }
    uint32_t stall = draw();
    top.advance = stall % 8 != 0 || beats < clocks / 2;   // the first half without a stall
    top.clk = 0; top.eval();
    bool taken = top.advance, out = top.folded_valid && top.advance;
    uint64_t word = top.folded;
    top.clk = 1; top.eval();
    if (out) fwrite(&word, 8, 1, stdout);
    fresh = taken;
    beats += taken;
  }
  top.valid = 0; top.advance = 1;
  for (int i = 0; i < 16; i++) {
    top.clk = 0; top.eval();
    if (top.folded_valid) { uint64_t word = top.folded; fwrite(&word, 8, 1, stdout); }
    top.clk = 1; top.eval();
  }
#else
  std::vector<uint8_t> addresses(PORTS * ADDRESS / 8 + 8, 0);
  const uint32_t mask = (1u << ADDRESS) - 1;
  top.rst = 1;
  for (int i = 0; i < 2; i++) { top.clk = 0; top.eval(); top.clk = 1; top.eval(); }
  top.rst = 0;
  auto step = [&]() {
    top.clk = 0; top.eval();
    if (top.result_valid) { uint64_t word = top.result; fwrite(&word, 8, 1, stdout); }
    top.clk = 1; top.eval();
  };
  for (uint64_t t = 0; t < clocks; t++) {
    uint32_t shape = draw(), hot = draw() & mask;
    for (unsigned p = 0; p < PORTS; p++) {
      uint64_t word = draw(); word |= uint64_t(draw()) << 32;
      memcpy(&words[8 * p], &word, 8);
      uint32_t own = draw() & mask;
      put_bits(addresses, p * ADDRESS, ADDRESS, shape & 1 ? hot : own);   // half the clocks: all ports on one context
      put_bits(ports, p, 1, 1);
      accepted++;
    }
    put(top.accum_delta, words);
    put(top.accum_address, addresses);
    put(top.accum, ports);
    uint32_t op = shape >> 8 & 7;   // 0 load 1 read 2 swap 3 swap keep 4.. read
    top.load = op == 0; top.read = op == 1 || op >= 4; top.swap = op == 2 || op == 3; top.swap_keep = op == 3;
    uint32_t own = draw() & mask;
    top.address = shape & 2 ? hot : own;
    uint64_t value = draw(); value |= uint64_t(draw()) << 32;
    top.value = value;
    step();
  }
  std::fill(ports.begin(), ports.end(), 0);
  put(top.accum, ports);
  top.load = top.swap = 0; top.read = 1;
  for (uint32_t a = 0; a <= mask; a++) { top.address = a; step(); }
  top.read = 0;
  for (int i = 0; i < 16; i++) step();
#endif
  fwrite(&accepted, 8, 1, stdout);
  fwrite(&clocks, 8, 1, stdout);
  return 0;
}
