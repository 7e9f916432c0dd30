// delta_stream: a delta_table behind AXI-Stream, with full backpressure.
//
//   s_delta    tdata PORTS words, tuser PORTS addresses, tkeep a bit a port: PORTS deltas a beat. tready is always 1:
//              the table takes a beat every clock.
//   s_command  tdata {value, address, op}: op 0 LOAD, 1 READ, 2 SWAP, 3 SWAP that keeps (2 bits, lowest; the address above)
//   m_state    tdata the state before the command, for READ and SWAP; a beat each, in order
//
// A command is taken only while the queue of states has a place for its answer, counting those still in the table, so a
// consumer that stops for ever stops the commands and nothing else; no answer is lost. LOAD answers nothing.
// Rule (formal/stream.sv): m_state holds its beat until it is taken; as many answers leave as READs and SWAPs entered.
`default_nettype none
module delta_stream #(
  parameter WIDTH = 64,
  parameter ADDRESS = 5,
  parameter PORTS = 1,
  parameter LANE = 0,
  parameter QUEUE = 4
) (
  input  wire                       aclk,
  input  wire                       aresetn,
  // deltas
  input  wire                       s_delta_tvalid,
  output wire                       s_delta_tready,
  input  wire [PORTS*WIDTH-1:0]     s_delta_tdata,
  input  wire [PORTS*ADDRESS-1:0]   s_delta_tuser,
  input  wire [PORTS-1:0]           s_delta_tkeep,
  // commands
  input  wire                       s_command_tvalid,
  output wire                       s_command_tready,
  input  wire [WIDTH+ADDRESS+1:0]   s_command_tdata,
  // states
  output wire                       m_state_tvalid,
  input  wire                       m_state_tready,
  output wire [WIDTH-1:0]           m_state_tdata
);
  wire [1:0] op = s_command_tdata[1:0];
  wire       taken = s_command_tvalid & s_command_tready;
  wire       asks  = taken & (op != 2'd0);
  wire       answered, answer_wanted;
  wire [WIDTH-1:0] answer;

  // answers that the queue must still find room for: those in the table and those that wait
  reg  [QUEUE:0] owed;
  initial owed = 0;
  wire leaves = m_state_tvalid & m_state_tready;
  always @(posedge aclk)
    if (~aresetn) owed <= 0;
    else          owed <= owed + {{QUEUE{1'b0}}, asks} - {{QUEUE{1'b0}}, leaves};
  assign s_delta_tready   = aresetn;
  assign s_command_tready = aresetn & ~owed[QUEUE];

  // LOAD also gives a result, the state that it replaced; it is told apart by giving the table no `read`, so the table is
  // asked to answer only what was asked: the tag travels in a queue of its own, which can never be fuller than `owed`
  delta_table #(.WIDTH(WIDTH), .ADDRESS(ADDRESS), .PORTS(PORTS), .LANE(LANE)) contexts (
    .clk(aclk), .rst(~aresetn),
    .accum({PORTS{s_delta_tvalid & s_delta_tready}} & s_delta_tkeep),
    .accum_address(s_delta_tuser), .accum_delta(s_delta_tdata),
    .load(taken & op == 2'd0), .read(taken & op == 2'd1), .swap(taken & op[1]), .swap_keep(op[0]),
    .address(s_command_tdata[2 +: ADDRESS]), .value(s_command_tdata[2+ADDRESS +: WIDTH]),
    .result_valid(answered), .result(answer)
  );

  // which results are answers: a shift register as long as the table is deep (delta_table's LATENCY)
  localparam LATENCY = (LANE != 0) ? 1 + $clog2(PORTS) : (PORTS <= 2) ? 1 : 2;
  reg [LATENCY:1] wanted;
  initial wanted = 0;
  always @(posedge aclk)
    if (~aresetn) wanted <= 0;
    else          wanted <= {wanted, asks};
  assign answer_wanted = wanted[LATENCY];

  wire [QUEUE:0] used;
  delta_fifo #(.WIDTH(WIDTH), .DEPTH(QUEUE)) states (
    .clk(aclk), .rst(~aresetn), .put(answered & answer_wanted), .put_word(answer), .used(used),
    .valid(m_state_tvalid), .word(m_state_tdata), .take(m_state_tready)
  );

`ifdef FORMAL
  // AXI-Stream: what is offered stays until it is taken
  reg             started, offered;
  reg [WIDTH-1:0] offered_word;
  reg [LATENCY:0] flight;
  integer f;
  initial started = 1'b0;
  always @(posedge aclk) begin
    started      <= 1'b1;
    offered      <= aresetn & m_state_tvalid & ~m_state_tready;
    offered_word <= m_state_tdata;
  end
  always @* begin
    flight = 0;
    for (f = 1; f <= LATENCY; f = f + 1) flight = flight + wanted[f];
    if (!started) assume (!aresetn);
    else begin
      if (offered) assert (m_state_tvalid & (m_state_tdata == offered_word));
      // no answer is lost: the queue always has room for those on their way, and none is there that nobody asked for
      assert (owed == used + flight);
      assert (owed <= (1 << QUEUE));
      assert (used <= (1 << QUEUE));
    end
  end
`endif
endmodule
`default_nettype wire
