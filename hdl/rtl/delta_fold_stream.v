// delta_fold_stream: delta_fold behind AXI-Stream: packets of PORTS words a beat in, one word a packet out.
//
// tkeep has a bit a word. While a folded word waits for a consumer that is not ready, everything stands still and
// s_tready is 0; nothing is lost and nothing is buffered but what is in the tree.
`default_nettype none
module delta_fold_stream #(
  parameter WIDTH = 64,
  parameter PORTS = 8,
  parameter LANE = 0
) (
  input  wire                   aclk,
  input  wire                   aresetn,
  // packets
  input  wire                   s_tvalid,
  output wire                   s_tready,
  input  wire                   s_tlast,
  input  wire [PORTS-1:0]       s_tkeep,
  input  wire [PORTS*WIDTH-1:0] s_tdata,
  // their folds
  output wire                   m_tvalid,
  input  wire                   m_tready,
  output wire [WIDTH-1:0]       m_tdata
);
  wire advance = ~m_tvalid | m_tready;
  assign s_tready = advance & aresetn;
  delta_fold #(.WIDTH(WIDTH), .PORTS(PORTS), .LANE(LANE)) fold (
    .clk(aclk), .rst(~aresetn), .advance(advance),
    .valid(s_tvalid & aresetn), .last(s_tlast), .keep(s_tkeep), .words(s_tdata),
    .folded_valid(m_tvalid), .folded(m_tdata)
  );

`ifdef FORMAL
  // what is offered stays; as many folds leave as packets end, less those in the tree
  reg             started, offered;
  reg [WIDTH-1:0] offered_word;
  initial started = 1'b0;
  always @(posedge aclk) begin
    started      <= 1'b1;
    offered      <= aresetn & m_tvalid & ~m_tready;
    offered_word <= m_tdata;
  end
  always @* begin
    if (!started) assume (!aresetn);
    else if (offered) assert (m_tvalid & (m_tdata == offered_word));
    if (started & m_tvalid & ~m_tready) assert (~s_tready);
  end
`endif
endmodule
`default_nettype wire
