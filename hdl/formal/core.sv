// rv64_core, through its RVFI port, from reset, under every instruction stream and every data word:
//
//   INSN   a retired instruction's result, next pc and memory access are what the specification says of its operands
//   REGS   an operand is what the register's last write left, for any register
//   FLOW   instructions retire in the order of their pcs, a trap goes on at mtvec, and no other one does
//
// Bounded: all streams that fit in the clocks unrolled. The buses always answer (waits are the benches' part).
`default_nettype none
module core_proof (
  input wire        clk,
  input wire [31:0] word,
  input wire [63:0] data, state,
  input wire        fetch_fault, data_fault,
  input wire [4:0]  probed
);
  reg [7:0] clock;
  initial clock = 0;
  always @(posedge clk) if (!(&clock)) clock <= clock + 8'd1;
  wire rst = clock == 8'd0;

  wire        valid, trap, intr;
  wire [63:0] order, rs1_rdata, rs2_rdata, rd_wdata, pc_rdata, pc_wdata, mem_addr, mem_rdata, mem_wdata;
  wire [31:0] insn;
  wire [4:0]  rs1_addr, rs2_addr, rd_addr;
  wire [7:0]  mem_rmask, mem_wmask;
  wire        dv, dw;
  wire [63:0] da, dd;
  wire [7:0]  ds;
  rv64_core #(.CONTEXT_BITS(5)) dut (
    .clk(clk), .rst(rst), .ibus_word(word), .ibus_fault(fetch_fault), .ibus_ready(1'b1),
    .dbus_valid(dv), .dbus_write(dw), .dbus_address(da), .dbus_strobe(ds), .dbus_write_word(dd),
    .dbus_word(data), .dbus_fault(data_fault), .dbus_ready(1'b1),
    .irq_software(1'b0), .irq_timer(1'b0), .irq_external(1'b0), .delta_state(state),
    .rvfi_valid(valid), .rvfi_order(order), .rvfi_insn(insn), .rvfi_trap(trap), .rvfi_intr(intr),
    .rvfi_rs1_addr(rs1_addr), .rvfi_rs2_addr(rs2_addr), .rvfi_rs1_rdata(rs1_rdata), .rvfi_rs2_rdata(rs2_rdata),
    .rvfi_rd_addr(rd_addr), .rvfi_rd_wdata(rd_wdata), .rvfi_pc_rdata(pc_rdata), .rvfi_pc_wdata(pc_wdata),
    .rvfi_mem_addr(mem_addr), .rvfi_mem_rmask(mem_rmask), .rvfi_mem_wmask(mem_wmask),
    .rvfi_mem_rdata(mem_rdata), .rvfi_mem_wdata(mem_wdata)
  );

  wire ok = valid & ~rst & ~trap;
`ifdef INSN
  wire [6:0] op = insn[6:0];
  wire [2:0] f3 = insn[14:12];
  wire [63:0] a = rs1_rdata, b = rs2_rdata;
  wire [63:0] imm_i = {{52{insn[31]}}, insn[31:20]};
  wire [63:0] imm_s = {{52{insn[31]}}, insn[31:25], insn[11:7]};
  wire [63:0] imm_b = {{52{insn[31]}}, insn[7], insn[30:25], insn[11:8], 1'b0};
  wire [63:0] imm_j = {{44{insn[31]}}, insn[19:12], insn[20], insn[30:21], 1'b0};
  wire [63:0] imm_u = {{32{insn[31]}}, insn[31:12], 12'd0};
  wire        imm = ~op[5];
  wire [63:0] y = imm ? imm_i : b;
  wire [5:0]  n = y[5:0];
  wire        alternate = insn[30];
  wire signed [63:0] sa = a;
  wire signed [31:0] wa = a[31:0];
  wire [63:0] sra64 = sa >>> n;
  wire [31:0] sra32 = wa >>> n[4:0];
  wire [31:0] srl32 = a[31:0] >> n[4:0];
  wire [31:0] sll32 = a[31:0] << n[4:0];
  wire [31:0] add32 = a[31:0] + y[31:0];
  wire [31:0] sub32 = a[31:0] - y[31:0];
  wire less_signed = $signed(a) < $signed(y);
  wire less_branch = f3[1] ? a < b : $signed(a) < $signed(b);
  wire taken = (f3[2] ? less_branch : a == b) ^ f3[0];

  // a pc lies below 8 GiB; any other address becomes one that is invalid too
  wire [63:0] after = pc_rdata + 64'd4;
  wire [63:0] link  = {|after[63:33], 30'd0, after[32:0]};
  reg        writes, reads_memory, writes_memory, known;
  reg [63:0] result, next, address;
  wire [31:0] w = f3 == 3'd0 ? ((alternate & ~imm) ? sub32 : add32) : f3 == 3'd1 ? sll32 : alternate ? sra32 : srl32;
  wire signed [63:0] mw = mem_rdata;
  always @* begin
    known = 1'b1; writes = 1'b1; reads_memory = 1'b0; writes_memory = 1'b0;
    result = 64'd0; next = after; address = 64'd0;
    case (op)
      7'h37: result = imm_u;
      7'h17: result = pc_rdata + imm_u;
      7'h6f: begin result = link; next = pc_rdata + imm_j; end
      7'h67: begin result = link; next = (a + imm_i) & ~64'd1; end
      7'h63: begin writes = 1'b0; if (taken) next = pc_rdata + imm_b; end
      7'h03: begin
        reads_memory = 1'b1; address = a + imm_i;
        case (f3)
          3'd0: result = {{56{mem_rdata[7]}}, mem_rdata[7:0]};
          3'd1: result = {{48{mem_rdata[15]}}, mem_rdata[15:0]};
          3'd2: result = {{32{mem_rdata[31]}}, mem_rdata[31:0]};
          default: result = mem_rdata;
        endcase
      end
      7'h23: begin writes = 1'b0; writes_memory = 1'b1; address = a + imm_s; end
      7'h13, 7'h33:
        case (f3)
          3'd0: result = (alternate & ~imm) ? a - y : a + y;
          3'd1: result = a << n;
          3'd2: result = {63'd0, less_signed};
          3'd3: result = {63'd0, a < y};
          3'd4: result = a ^ y;
          3'd5: result = alternate ? sra64 : a >> n;
          3'd6: result = a | y;
          default: result = a & y;
        endcase
      7'h1b, 7'h3b: result = {{32{w[31]}}, w};
      7'h0f: writes = 1'b0;
      default: known = 1'b0;   // system and custom-0: their results are state, not a function of the operands
    endcase
  end
  wire [7:0] mask = f3[1:0] == 2'd0 ? 8'h01 : f3[1:0] == 2'd1 ? 8'h03 : f3[1:0] == 2'd2 ? 8'h0f : 8'hff;
  wire bad_result = known & (writes & insn[11:7] != 5'd0 ? (rd_addr != insn[11:7] | rd_wdata != result)
                                                         : (rd_addr != 5'd0 | rd_wdata != 64'd0));
  wire bad_next   = known & (pc_wdata != {|next[63:33], 30'd0, next[32:0]});
  wire bad_memory = known & ((reads_memory ? (mem_rmask != mask | mem_addr != address) : mem_rmask != 8'd0)
                           | (writes_memory ? (mem_wmask != mask | mem_addr != address) : mem_wmask != 8'd0));
  // the words outside the specification must have trapped
  wire bad_opcode = ~known & (op != 7'h73) & (op != 7'h0b);
`ifdef ONLY
  always @* assume (!valid | op == `ONLY);
`endif
  always @* assert (!(ok & (bad_result | bad_next | bad_memory | bad_opcode)));
`endif

`ifdef REGS
  reg [63:0] shadow;
  reg [4:0]  one;
  initial shadow = 64'd0;
  reg picked;
  initial picked = 1'b0;
  always @(posedge clk) begin
    picked <= 1'b1;
    if (!picked) one <= probed;
    if (valid & ~rst & rd_addr != 5'd0 & rd_addr == (picked ? one : probed)) shadow <= rd_wdata;
  end
  always @* assert (!(valid & ~rst & picked & one != 5'd0 & ((rs1_addr == one & rs1_rdata != shadow) | (rs2_addr == one & rs2_rdata != shadow))));
  always @* assert (!(valid & ~rst & ((rs1_addr == 5'd0 & rs1_rdata != 64'd0) | (rs2_addr == 5'd0 & rs2_rdata != 64'd0))));
`endif

`ifdef FLOW
  reg [63:0] next_pc, next_order;
  initial begin next_pc = 64'h80000000; next_order = 64'd0; end
  always @(posedge clk) if (valid & ~rst) begin
    next_pc <= pc_wdata;
    next_order <= next_order + 64'd1;
  end
  always @* assert (!(valid & ~rst & (pc_rdata != next_pc)));
  always @* assert (!(valid & trap & ~rst & (rd_addr != 5'd0 | mem_rmask != 8'd0 | mem_wmask != 8'd0)));
`endif
endmodule
