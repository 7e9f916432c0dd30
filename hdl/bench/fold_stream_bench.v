// fold_stream_bench: delta_fold_stream under random valid and ready, for iverilog; as stream_bench.
//
//   beat taken, last, keep, words   fold taken, fold   stalls: beat, fold
`default_nettype none
`timescale 1ns/1ns
module fold_stream_bench;
  parameter WIDTH = 64;
  parameter PORTS = 9;
  parameter LANE = 0;
  parameter SEED = 1;
  parameter CLOCKS = 1000;

  reg clk = 1'b0, resetn = 1'b0;
  reg                    beat_valid = 1'b0, beat_last, fold_ready = 1'b0;
  reg  [PORTS-1:0]       beat_keep;
  reg  [PORTS*WIDTH-1:0] beat_data;
  wire                   beat_ready, fold_valid;
  wire [WIDTH-1:0]       fold_data;
  delta_fold_stream #(.WIDTH(WIDTH), .PORTS(PORTS), .LANE(LANE)) dut (
    .aclk(clk), .aresetn(resetn),
    .s_tvalid(beat_valid), .s_tready(beat_ready), .s_tlast(beat_last), .s_tkeep(beat_keep), .s_tdata(beat_data),
    .m_tvalid(fold_valid), .m_tready(fold_ready), .m_tdata(fold_data)
  );

  integer seed = SEED, t, k, mood;
  reg [3:0] will_beat, will_fold;
  reg offered, beat_ready_then;
  reg [WIDTH-1:0] offered_data;
  always @(posedge clk) beat_ready_then <= beat_ready;
  function [0:0] willing(input [3:0] eighths);
    willing = ($unsigned($random(seed)) % 8) < eighths;
  endfunction
  initial begin
    offered = 1'b0;
    for (t = 0; t < CLOCKS + 256; t = t + 1) begin
      if (t == 4) resetn = 1'b1;
      if (t % 64 == 0) begin
        mood = $random(seed);
        will_beat = mood[1:0] == 0 ? 8 : mood[1:0] == 1 ? 1 : 5;
        will_fold = mood[4:3] == 0 ? 8 : mood[4:3] == 1 ? 1 : mood[4:3] == 2 ? 5 : 0;
      end
      if (t >= CLOCKS) will_beat = 0;
      if (t >= CLOCKS) will_fold = 8;
      if (!beat_valid && willing(will_beat)) begin
        beat_valid = 1'b1;
        beat_last = $unsigned($random(seed)) % 4 == 0;
        for (k = 0; k < PORTS; k = k + 1) beat_keep[k] = $unsigned($random(seed)) % 4 != 0;
        for (k = 0; k < PORTS * WIDTH; k = k + 1) beat_data[k] = $random(seed);
      end
      fold_ready = willing(will_fold);
      #4;
      if (resetn) begin
        if (offered && !(fold_valid === 1'b1 && fold_data === offered_data)) $display("! a fold that waited is gone or changed");
        if (fold_ready && beat_ready !== 1'b1) $display("! a beat is refused though the fold can leave");
        if (beat_valid | fold_valid)
          $display("%b %b %h %h %b %h %b %b", beat_valid & beat_ready, beat_last, beat_keep, beat_data,
                   fold_valid & fold_ready, fold_data, beat_valid & ~beat_ready, fold_valid & ~fold_ready);
        offered = fold_valid & ~fold_ready;
        offered_data = fold_data;
      end else if (beat_ready | fold_valid) $display("! a handshake in reset");
      #1 clk = 1'b1;
      #1 if (beat_ready_then) beat_valid = 1'b0;
      #4 clk = 1'b0;
    end
    $finish;
  end
endmodule
`default_nettype wire
