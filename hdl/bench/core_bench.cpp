// core_bench: rv64_atomik with the machine of iss/memory.ts around it; reports every retired instruction on stdout.
//
//   core_bench IMAGE ENTRY TOHOST MAX_CYCLES [wait SEED] [irq SEED]
//
// IMAGE is what the RAM holds from 0x8000_0000 up. `wait` gives both buses random wait states, `irq` raises random
// interrupt lines. A record has 64 bytes, little-endian:
//   0 flags (1 trap, 2 interrupt taken before it, 128 end)  1 rd  2 read mask  3 write mask  4 insn
//   8 pc  16 next pc  24 rd word  32 memory address  40 memory word  48 clock  56 interrupt cause
// The last record's rd is why it ended (0 tohost, 1 clocks ran out), its pc the tohost word, its clock the count.
#include "Vrv64_atomik.h"
#include "verilated.h"
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

static const uint64_t ROM = 0x1000, RAM = 0x80000000ull, RAM_BYTES = 16u << 20;
static std::vector<uint8_t> ram(RAM_BYTES + 8, 0);
static uint8_t rom[32];
static uint64_t mtime, mtimecmp = ~0ull, msip;

static bool in_ram(uint64_t a) { return a - RAM < RAM_BYTES; }
static bool in_rom(uint64_t a) { return a - ROM < sizeof rom; }
static bool in_device(uint64_t a) { return a - 0x02000000 < 0x10000 || a - 0x10000000 < 0x100; }

static uint64_t load(uint64_t a) {
  uint64_t w = 0;
  if (in_ram(a)) memcpy(&w, &ram[a - RAM], 8);
  else if (in_rom(a)) memcpy(&w, &rom[a - ROM], 8);
  else if (a == 0x02000000) w = msip;
  else if (a == 0x02004000) w = mtimecmp;
  else if (a == 0x0200bff8) w = mtime;
  return w;
}

static void store(uint64_t a, uint64_t w, uint8_t strobe) {
  uint64_t old = load(a), mask = 0;
  for (int i = 0; i < 8; i++) if (strobe >> i & 1) mask |= 0xffull << 8 * i;
  w = (old & ~mask) | (w & mask);
  if (in_ram(a)) memcpy(&ram[a - RAM], &w, 8);
  else if (a == 0x02000000) msip = w & 1;
  else if (a == 0x02004000) mtimecmp = w;
  else if (a == 0x10000000 && (strobe & 1)) fputc(int(w & 0xff), stderr);
}

static uint32_t seed_wait, seed_irq;
static uint32_t draw(uint32_t &s) { s ^= s << 13; s ^= s >> 17; s ^= s << 5; return s; }

struct Record {
  uint8_t flags, rd, rmask, wmask;
  uint32_t insn;
  uint64_t pc, pc_next, rd_word, address, word, clock, cause;
};

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  uint64_t entry = strtoull(argv[2], 0, 0), tohost = strtoull(argv[3], 0, 0), limit = strtoull(argv[4], 0, 0);
  for (int i = 5; i + 1 < argc; i += 2) {
    if (!strcmp(argv[i], "wait")) seed_wait = strtoul(argv[i + 1], 0, 0);
    if (!strcmp(argv[i], "irq")) seed_irq = strtoul(argv[i + 1], 0, 0);
  }
  FILE *f = fopen(argv[1], "rb");
  if (!f) { fprintf(stderr, "core_bench: cannot open %s\n", argv[1]); return 2; }
  if (fread(ram.data(), 1, RAM_BYTES, f) == 0) return 2;
  fclose(f);
  const uint32_t boot[4] = {0x00000297, 0x0182b283, 0x00028067, 0x00000013};
  memcpy(rom, boot, 16);
  memcpy(rom + 24, &entry, 8);

  Vrv64_atomik top;
  setvbuf(stdout, 0, _IOFBF, 1 << 20);
  unsigned ibus_wait = 0, dbus_wait = 0;
  uint32_t ibus_word = 0; uint64_t dbus_word = 0; bool ibus_fault = false;
  uint64_t clock = 0;
  unsigned raised = 0;
  bool device_irq = seed_irq == 0;
  for (top.rst = 1; clock < limit + 4; clock++) {
    if (clock == 4) top.rst = 0;
    mtime = clock;
    bool ibus_ready = ibus_wait == 0, dbus_ready = dbus_wait == 0;
    top.clk = 0;
    top.ibus_ready = ibus_ready;
    top.ibus_word = ibus_ready ? ibus_word : 0xdeadbeef;
    top.ibus_fault = ibus_ready & ibus_fault;
    top.dbus_ready = dbus_ready;
    top.dbus_word = dbus_ready ? dbus_word : 0xdeadbeefdeadbeefull;
    top.irq_software = device_irq ? msip : raised == 3;
    top.irq_timer = device_irq ? mtime >= mtimecmp : raised == 7;
    top.irq_external = !device_irq && raised == 11;
    top.dbus_fault = 0;
    top.eval();
    uint64_t a = top.dbus_address;
    top.dbus_fault = top.dbus_valid && !in_ram(a) && !in_rom(a) && !in_device(a);
    top.eval();
    // the addresses that this clock's end takes
    bool take_i = ibus_ready && top.ibus_valid, take_d = dbus_ready && top.dbus_valid && !top.dbus_fault;
    uint64_t ia = top.ibus_address;
    if (take_i) {
      ibus_fault = !in_ram(ia) && !in_rom(ia);
      ibus_word = ibus_fault ? 0 : uint32_t(load(ia & ~7ull) >> 8 * (ia & 4));
      ibus_wait = seed_wait && draw(seed_wait) % 4 == 0 ? draw(seed_wait) % 4 : 0;
    } else if (ibus_wait) ibus_wait--;
    if (take_d) {
      if (top.dbus_write) store(a, top.dbus_write_word, top.dbus_strobe);
      else dbus_word = load(a);
      dbus_wait = seed_wait && draw(seed_wait) % 4 == 0 ? draw(seed_wait) % 4 : 0;
    } else if (dbus_wait) dbus_wait--;
    top.clk = 1;
    top.eval();

    if (seed_irq && !raised && draw(seed_irq) % 64 == 0) {
      const unsigned lines[3] = {3, 7, 11};
      raised = lines[draw(seed_irq) % 3];
    }
    if (!top.rvfi_valid) continue;
    if (top.rvfi_intr) raised = 0;
    Record r = {uint8_t(top.rvfi_trap | top.rvfi_intr << 1), top.rvfi_rd_addr, top.rvfi_mem_rmask, top.rvfi_mem_wmask,
                top.rvfi_insn, top.rvfi_pc_rdata, top.rvfi_pc_wdata, top.rvfi_rd_wdata, top.rvfi_mem_addr,
                top.rvfi_mem_rmask ? top.rvfi_mem_rdata : top.rvfi_mem_wdata, clock - 4, top.rvfi_intr_cause};
    fwrite(&r, sizeof r, 1, stdout);
    if (top.rvfi_mem_wmask && tohost && top.rvfi_mem_addr + 8 > tohost && top.rvfi_mem_addr < tohost + 8 && load(tohost)) {
      Record end = {128, 0, 0, 0, 0, load(tohost), 0, 0, 0, 0, clock - 4, 0};
      // a console request (device 1, command 1) is served and cleared, anything else ends the run
      if (end.pc >> 48 == 0x0101) { fputc(int(end.pc & 0xff), stderr); store(tohost, 0, 0xff); continue; }
      fwrite(&end, sizeof end, 1, stdout);
      fflush(stdout);
      return 0;
    }
  }
  Record end = {128, 1, 0, 0, 0, 0, 0, 0, 0, 0, limit, 0};
  fwrite(&end, sizeof end, 1, stdout);
  fflush(stdout);
  return 0;
}
