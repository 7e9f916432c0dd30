// stream_bench: delta_stream under random valid and ready, for iverilog. Prints every handshake; bench/axi.ts judges them.
//
// The mood changes every 64 clocks: how often each side is willing, from never to always. A source that offers a beat holds
// it until it is taken, as AXI-Stream asks. A line a clock in which something happened, hexadecimal:
//
//   delta taken, keep, addresses, deltas   command taken, command   state taken, state   stalls: command, state
//
// `! text` is a broken rule of the unit's own side. The last 256 clocks offer nothing and take everything.
`default_nettype none
`timescale 1ns/1ns
module stream_bench;
  parameter WIDTH = 64;
  parameter ADDRESS = 3;
  parameter PORTS = 3;
  parameter LANE = 0;
  parameter SEED = 1;
  parameter CLOCKS = 1000;

  reg clk = 1'b0, resetn = 1'b0;
  reg                      delta_valid = 1'b0, command_valid = 1'b0, state_ready = 1'b0;
  reg  [PORTS*WIDTH-1:0]   delta_data;
  reg  [PORTS*ADDRESS-1:0] delta_user;
  reg  [PORTS-1:0]         delta_keep;
  reg  [WIDTH+ADDRESS+1:0] command_data;
  wire                     delta_ready, command_ready, state_valid;
  wire [WIDTH-1:0]         state_data;
  delta_stream #(.WIDTH(WIDTH), .ADDRESS(ADDRESS), .PORTS(PORTS), .LANE(LANE)) dut (
    .aclk(clk), .aresetn(resetn),
    .s_delta_tvalid(delta_valid), .s_delta_tready(delta_ready), .s_delta_tdata(delta_data),
    .s_delta_tuser(delta_user), .s_delta_tkeep(delta_keep),
    .s_command_tvalid(command_valid), .s_command_tready(command_ready), .s_command_tdata(command_data),
    .m_state_tvalid(state_valid), .m_state_tready(state_ready), .m_state_tdata(state_data)
  );

  integer seed = SEED, t, k, mood;
  reg [3:0] will_delta, will_command, will_state;
  reg offered;
  reg [WIDTH-1:0] offered_data;
  function [0:0] willing(input [3:0] eighths);
    willing = ($unsigned($random(seed)) % 8) < eighths;
  endfunction
  task moods;
    begin
      mood = $random(seed);
      will_delta = mood[1:0] == 0 ? 8 : mood[1:0] == 1 ? 1 : 5;
      will_command = mood[4:3] == 0 ? 8 : mood[4:3] == 1 ? 1 : 5;
      will_state = mood[7:6] == 0 ? 8 : mood[7:6] == 1 ? 1 : mood[7:6] == 2 ? 5 : 0;
    end
  endtask
  initial begin
    offered = 1'b0;
    for (t = 0; t < CLOCKS + 256; t = t + 1) begin
      // new offers, at the start of the clock; what was offered and not taken stays
      if (t == 4) resetn = 1'b1;
      if (t % 64 == 0) moods;
      if (t >= CLOCKS) will_delta = 0;
      if (t >= CLOCKS) will_command = 0;
      if (t >= CLOCKS) will_state = 8;
      if (!delta_valid && willing(will_delta)) begin
        delta_valid = 1'b1;
        delta_keep = $random(seed);
        for (k = 0; k < PORTS * ADDRESS; k = k + 1) delta_user[k] = $random(seed);
        if (mood[9]) delta_user = {PORTS{delta_user[ADDRESS-1:0]}};   // all ports on one context
        for (k = 0; k < PORTS * WIDTH; k = k + 1) delta_data[k] = $random(seed);
      end
      if (!command_valid && willing(will_command)) begin
        command_valid = 1'b1;
        for (k = 0; k < WIDTH + ADDRESS + 2; k = k + 1) command_data[k] = $random(seed);
        if (mood[10]) command_data[2 +: ADDRESS] = delta_user[ADDRESS-1:0];
      end
      state_ready = willing(will_state);
      #4;
      if (resetn) begin
        if (offered && !(state_valid === 1'b1 && state_data === offered_data)) $display("! a state that waited is gone or changed");
        if (delta_ready !== 1'b1) $display("! deltas are refused");
        if ((delta_valid & delta_ready) | command_valid | state_valid)
          $display("%b %h %h %h %b %h %b %h %b %b", delta_valid & delta_ready, delta_keep, delta_user, delta_data,
                   command_valid & command_ready, command_data, state_valid & state_ready, state_data,
                   command_valid & ~command_ready, state_valid & ~state_ready);
        offered = state_valid & ~state_ready;
        offered_data = state_data;
      end else if (delta_ready | command_ready | state_valid) $display("! a handshake in reset");
      #1 clk = 1'b1;
      #1;
      // the clock's end: what was taken is gone
      if (delta_ready_then) delta_valid = 1'b0;
      if (command_ready_then) command_valid = 1'b0;
      #4 clk = 1'b0;
    end
    $finish;
  end
  // ready as it was at the edge
  reg delta_ready_then, command_ready_then;
  always @(posedge clk) begin
    delta_ready_then   <= delta_ready;
    command_ready_then <= command_ready;
  end
endmodule
`default_nettype wire
