// rv64_atomik: the core and its contexts: rv64_core joined to a one-port delta_table.
`default_nettype none
module rv64_atomik #(
  parameter [63:0] RESET_PC = 64'h0000_0000_8000_0000,
  parameter CONTEXT_BITS = 5
) (
  input  wire        clk,
  input  wire        rst,
  // instruction bus
  output wire        ibus_valid,
  output wire [63:0] ibus_address,
  input  wire [31:0] ibus_word,
  input  wire        ibus_fault,
  input  wire        ibus_ready,
  // data bus
  output wire        dbus_valid,
  output wire        dbus_write,
  output wire [63:0] dbus_address,
  output wire [7:0]  dbus_strobe,
  output wire [63:0] dbus_write_word,
  input  wire [63:0] dbus_word,
  input  wire        dbus_fault,
  input  wire        dbus_ready,
  // interrupts
  input  wire        irq_software,
  input  wire        irq_timer,
  input  wire        irq_external
`ifdef RVFI
  , output wire        rvfi_valid,
  output wire [63:0] rvfi_order,
  output wire [31:0] rvfi_insn,
  output wire        rvfi_trap,
  output wire        rvfi_intr,
  output wire [3:0]  rvfi_intr_cause,
  output wire [4:0]  rvfi_rs1_addr,
  output wire [4:0]  rvfi_rs2_addr,
  output wire [63:0] rvfi_rs1_rdata,
  output wire [63:0] rvfi_rs2_rdata,
  output wire [4:0]  rvfi_rd_addr,
  output wire [63:0] rvfi_rd_wdata,
  output wire [63:0] rvfi_pc_rdata,
  output wire [63:0] rvfi_pc_wdata,
  output wire [63:0] rvfi_mem_addr,
  output wire [7:0]  rvfi_mem_rmask,
  output wire [7:0]  rvfi_mem_wmask,
  output wire [63:0] rvfi_mem_rdata,
  output wire [63:0] rvfi_mem_wdata
`endif
);
  wire                    delta_load, delta_accum, delta_read, delta_swap, delta_keep, state_valid;
  wire [CONTEXT_BITS-1:0] delta_context;
  wire [63:0]             delta_value, state, delta_state;

  rv64_core #(.RESET_PC(RESET_PC), .CONTEXT_BITS(CONTEXT_BITS)) core (
    .clk(clk), .rst(rst),
    .ibus_valid(ibus_valid), .ibus_address(ibus_address),
    .ibus_word(ibus_word), .ibus_fault(ibus_fault), .ibus_ready(ibus_ready),
    .dbus_valid(dbus_valid), .dbus_write(dbus_write), .dbus_address(dbus_address), .dbus_strobe(dbus_strobe),
    .dbus_write_word(dbus_write_word), .dbus_word(dbus_word), .dbus_fault(dbus_fault), .dbus_ready(dbus_ready),
    .irq_software(irq_software), .irq_timer(irq_timer), .irq_external(irq_external),
    .delta_load(delta_load), .delta_accum(delta_accum), .delta_read(delta_read), .delta_swap(delta_swap),
    .delta_keep(delta_keep), .delta_context(delta_context), .delta_value(delta_value), .delta_state(delta_state)
`ifdef RVFI
    , .rvfi_valid(rvfi_valid), .rvfi_order(rvfi_order), .rvfi_insn(rvfi_insn), .rvfi_trap(rvfi_trap), .rvfi_intr(rvfi_intr),
    .rvfi_intr_cause(rvfi_intr_cause),
    .rvfi_rs1_addr(rvfi_rs1_addr), .rvfi_rs2_addr(rvfi_rs2_addr),
    .rvfi_rs1_rdata(rvfi_rs1_rdata), .rvfi_rs2_rdata(rvfi_rs2_rdata),
    .rvfi_rd_addr(rvfi_rd_addr), .rvfi_rd_wdata(rvfi_rd_wdata),
    .rvfi_pc_rdata(rvfi_pc_rdata), .rvfi_pc_wdata(rvfi_pc_wdata),
    .rvfi_mem_addr(rvfi_mem_addr), .rvfi_mem_rmask(rvfi_mem_rmask), .rvfi_mem_wmask(rvfi_mem_wmask),
    .rvfi_mem_rdata(rvfi_mem_rdata), .rvfi_mem_wdata(rvfi_mem_wdata)
`endif
  );

  assign delta_state = state_valid ? state : 64'd0;

  // ACCUM also reads, so that every operation returns the state before it, as an atomic fetch-and-op does
  delta_table #(.WIDTH(64), .ADDRESS(CONTEXT_BITS), .PORTS(1), .LANE(0)) contexts (
    .clk(clk), .rst(rst),
    .accum(delta_accum), .accum_address(delta_context), .accum_delta(delta_value),
    .load(delta_load), .read(delta_read | delta_accum), .swap(delta_swap), .swap_keep(delta_keep),
    .address(delta_context), .value(delta_value),
    .result_valid(state_valid), .result(state)
  );
endmodule
`default_nettype wire
