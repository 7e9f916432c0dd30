// delta_control: a delta_table behind AXI4-Lite, for a processor: 32-bit registers, one access at a time.
//
//   0x00 id        "ATMK"              0x10 context         0x20 deltas accepted, low half
//   0x04 geometry  width, contexts     0x14 value low       0x24 deltas accepted, high half
//   0x08 operate   write: 0 LOAD, 1 ACCUM, 2 READ, 3 SWAP, 7 SWAP that keeps
//   0x0c (read)    1 while the result is not there yet      0x18 value high      0x28, 0x2c result low, high
//
// LOAD, ACCUM and SWAP take their word from `value`; READ and SWAP leave the state in `result`.
// Rules (formal/control.sv): a response holds until it is taken, and there is one for each request.
`default_nettype none
module delta_control #(
  parameter ADDRESS = 5
) (
  input  wire        aclk,
  input  wire        aresetn,
  // write address, data, response
  input  wire        s_axi_awvalid,
  output wire        s_axi_awready,
  input  wire [5:0]  s_axi_awaddr,
  input  wire        s_axi_wvalid,
  output wire        s_axi_wready,
  input  wire [31:0] s_axi_wdata,
  input  wire [3:0]  s_axi_wstrb,
  output reg         s_axi_bvalid,
  input  wire        s_axi_bready,
  output wire [1:0]  s_axi_bresp,
  // read address, data
  input  wire        s_axi_arvalid,
  output wire        s_axi_arready,
  input  wire [5:0]  s_axi_araddr,
  output reg         s_axi_rvalid,
  input  wire        s_axi_rready,
  output reg  [31:0] s_axi_rdata,
  output wire [1:0]  s_axi_rresp
);
  // a write is taken when its address and its data are both there and the last response is leaving or gone
  wire write_taken = aresetn & s_axi_awvalid & s_axi_wvalid & (~s_axi_bvalid | s_axi_bready);
  wire read_taken  = aresetn & s_axi_arvalid & (~s_axi_rvalid | s_axi_rready);
  assign s_axi_awready = write_taken;
  assign s_axi_wready  = write_taken;
  assign s_axi_arready = read_taken;
  assign s_axi_bresp   = 2'b00;
  assign s_axi_rresp   = 2'b00;

  reg [ADDRESS-1:0] context_number;
  reg [63:0] value, result, accepted;
  reg        waits;
  wire       result_valid;
  wire [63:0] state;
  wire       operate = write_taken & (s_axi_awaddr[5:2] == 4'd2) & s_axi_wstrb[0];
  wire [2:0] op = s_axi_wdata[2:0];

  delta_table #(.WIDTH(64), .ADDRESS(ADDRESS), .PORTS(1), .LANE(0)) contexts (
    .clk(aclk), .rst(~aresetn),
    .accum(operate & op == 3'd1), .accum_address(context_number), .accum_delta(value),
    .load(operate & op == 3'd0), .read(operate & op == 3'd2), .swap(operate & op[1:0] == 2'd3), .swap_keep(op[2]),
    .address(context_number), .value(value), .result_valid(result_valid), .result(state)
  );

  // a register's new bytes where the strobe is set
  function [31:0] strobed(input [31:0] old);
    strobed = {s_axi_wstrb[3] ? s_axi_wdata[31:24] : old[31:24], s_axi_wstrb[2] ? s_axi_wdata[23:16] : old[23:16],
               s_axi_wstrb[1] ? s_axi_wdata[15:8]  : old[15:8],  s_axi_wstrb[0] ? s_axi_wdata[7:0]   : old[7:0]};
  endfunction

  always @(posedge aclk) begin
    if (write_taken)
      case (s_axi_awaddr[5:2])
        4'd4: context_number <= s_axi_wstrb[0] ? s_axi_wdata[ADDRESS-1:0] : context_number;
        4'd5: value[31:0]  <= strobed(value[31:0]);
        4'd6: value[63:32] <= strobed(value[63:32]);
        default: ;
      endcase
    if (operate & op == 3'd1) accepted <= accepted + 64'd1;
    if (result_valid & waits) result <= state;   // not what LOAD replaced
    waits <= operate & op[1];

    if (write_taken)       s_axi_bvalid <= 1'b1;
    else if (s_axi_bready) s_axi_bvalid <= 1'b0;

    if (read_taken) begin
      s_axi_rvalid <= 1'b1;
      case (s_axi_araddr[5:2])
        4'd0:    s_axi_rdata <= 32'h4b4d_5441;
        4'd1:    s_axi_rdata <= {16'd64, 16'd1 << ADDRESS};
        4'd3:    s_axi_rdata <= {31'd0, waits};
        4'd4:    s_axi_rdata <= {{32-ADDRESS{1'b0}}, context_number};
        4'd5:    s_axi_rdata <= value[31:0];
        4'd6:    s_axi_rdata <= value[63:32];
        4'd8:    s_axi_rdata <= accepted[31:0];
        4'd9:    s_axi_rdata <= accepted[63:32];
        4'd10:   s_axi_rdata <= result[31:0];
        4'd11:   s_axi_rdata <= result[63:32];
        default: s_axi_rdata <= 32'd0;
      endcase
    end else if (s_axi_rready) s_axi_rvalid <= 1'b0;

    if (~aresetn) begin
      s_axi_bvalid <= 1'b0;
      s_axi_rvalid <= 1'b0;
      context_number <= {ADDRESS{1'b0}};
      value    <= 64'd0;
      result   <= 64'd0;
      accepted <= 64'd0;
      waits    <= 1'b0;
    end
  end

`ifdef FORMAL
  reg        started, b_waits, r_waits;
  reg [31:0] r_word;
  reg [7:0]  writes, responses, reads, words;
  initial begin started = 1'b0; writes = 0; responses = 0; reads = 0; words = 0; end
  always @(posedge aclk) begin
    started <= 1'b1;
    b_waits <= aresetn & s_axi_bvalid & ~s_axi_bready;
    r_waits <= aresetn & s_axi_rvalid & ~s_axi_rready;
    r_word  <= s_axi_rdata;
    if (aresetn) begin
      writes    <= writes + (s_axi_awvalid & s_axi_awready);
      responses <= responses + (s_axi_bvalid & s_axi_bready);
      reads     <= reads + (s_axi_arvalid & s_axi_arready);
      words     <= words + (s_axi_rvalid & s_axi_rready);
    end else begin
      writes <= 0; responses <= 0; reads <= 0; words <= 0;
    end
  end
  always @* begin
    if (!started) assume (!aresetn);
    else begin
      if (b_waits) assert (s_axi_bvalid);
      if (r_waits) assert (s_axi_rvalid & s_axi_rdata == r_word);
      // exactly one response a request, and address and data of a write are taken together
      assert (writes == responses + {7'd0, s_axi_bvalid} );
      assert (reads == words + {7'd0, s_axi_rvalid});
      assert ((s_axi_awvalid & s_axi_awready) == (s_axi_wvalid & s_axi_wready));
    end
  end
`endif
endmodule
`default_nettype wire
