// control_bench: delta_control under random AXI4-Lite accesses, for iverilog. Address and data of a write come in any order,
// responses are taken late or at once, writes and reads overlap. A line every clock, because registers change by the clock:
//
//   write taken, address, data, strobes   response taken   read taken, address   word taken, word   stalls: write, read
`default_nettype none
`timescale 1ns/1ns
module control_bench;
  parameter SEED = 1;
  parameter CLOCKS = 1000;

  reg clk = 1'b0, resetn = 1'b0;
  reg         aw_valid = 1'b0, w_valid = 1'b0, b_ready = 1'b0, ar_valid = 1'b0, r_ready = 1'b0;
  reg  [5:0]  aw_addr, ar_addr;
  reg  [31:0] w_data;
  reg  [3:0]  w_strb;
  wire        aw_ready, w_ready, b_valid, ar_ready, r_valid;
  wire [1:0]  b_resp, r_resp;
  wire [31:0] r_data;
  delta_control #(.ADDRESS(3)) dut (
    .aclk(clk), .aresetn(resetn),
    .s_axi_awvalid(aw_valid), .s_axi_awready(aw_ready), .s_axi_awaddr(aw_addr),
    .s_axi_wvalid(w_valid), .s_axi_wready(w_ready), .s_axi_wdata(w_data), .s_axi_wstrb(w_strb),
    .s_axi_bvalid(b_valid), .s_axi_bready(b_ready), .s_axi_bresp(b_resp),
    .s_axi_arvalid(ar_valid), .s_axi_arready(ar_ready), .s_axi_araddr(ar_addr),
    .s_axi_rvalid(r_valid), .s_axi_rready(r_ready), .s_axi_rdata(r_data), .s_axi_rresp(r_resp)
  );

  integer seed = SEED, t, mood, pick;
  reg aw_then, w_then, ar_then, b_waits, r_waits;
  reg [31:0] r_word;
  reg [3:0] will [0:4];
  always @(posedge clk) {aw_then, w_then, ar_then} <= {aw_ready, w_ready, ar_ready};
  function [0:0] willing(input [3:0] eighths);
    willing = ($unsigned($random(seed)) % 8) < eighths;
  endfunction
  function [5:0] register(input [31:0] draw);
    // what does something twice as often
    register = draw[7:4] == 0 ? draw[5:0] : draw[9:8] == 0 ? 6'h08 : draw[9:8] == 1 ? 6'h14 : draw[9:8] == 2 ? 6'h18 : 6'h10;
  endfunction
  initial begin
    {b_waits, r_waits} = 2'b00;
    for (t = 0; t < CLOCKS; t = t + 1) begin
      if (t == 4) resetn = 1'b1;
      if (t % 64 == 0)
        for (pick = 0; pick < 5; pick = pick + 1) begin
          mood = $random(seed);
          will[pick] = mood[1:0] == 0 ? 8 : mood[1:0] == 1 ? 1 : 5;
        end
      if (!aw_valid && willing(will[0])) begin aw_valid = 1'b1; aw_addr = register($random(seed)); end
      if (!w_valid && willing(will[1])) begin
        w_valid = 1'b1;
        w_data = $random(seed);
        w_strb = $unsigned($random(seed)) % 4 == 0 ? $random(seed) : 4'hf;
      end
      if (!ar_valid && willing(will[2])) begin
        ar_valid = 1'b1;
        ar_addr = $random(seed);
      end
      b_ready = willing(will[3]);
      r_ready = willing(will[4]);
      #4;
      if (resetn) begin
        if (b_waits && b_valid !== 1'b1) $display("! a response that waited is gone");
        if (r_waits && !(r_valid === 1'b1 && r_data === r_word)) $display("! a word that waited is gone or changed");
        if ((aw_valid & aw_ready) !== (w_valid & w_ready)) $display("! address and data of a write are taken apart");
        if ((b_valid && b_resp !== 2'b00) || (r_valid && r_resp !== 2'b00)) $display("! a response is not OKAY");
        $display("%b %h %h %h %b %b %h %b %h %b %b", aw_valid & aw_ready, aw_addr, w_data, w_strb, b_valid & b_ready,
                 ar_valid & ar_ready, ar_addr, r_valid & r_ready, r_data, aw_valid & w_valid & ~aw_ready, ar_valid & ~ar_ready);
        {b_waits, r_waits} = {b_valid & ~b_ready, r_valid & ~r_ready};
        r_word = r_data;
      end
      #1 clk = 1'b1;
      #1;
      if (aw_then & aw_valid & resetn) aw_valid = 1'b0;
      if (w_then & w_valid & resetn) w_valid = 1'b0;
      if (ar_then & ar_valid & resetn) ar_valid = 1'b0;
      #4 clk = 1'b0;
    end
    $finish;
  end
endmodule
`default_nettype wire
