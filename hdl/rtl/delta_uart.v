// delta_uart: a delta_table on a serial line, for small boards. A request is one byte, a context byte and, for those that
// carry a word, eight bytes, lowest first:
//
//   'L' context value    LOAD      'R' context          READ: eight bytes of state come back, lowest first
//   'A' context delta    ACCUM     'S' context value    SWAP: the same      'K' context    SWAP that keeps: the same
//
// Any other first byte is ignored. Requests may follow each other without a pause except that the answer to READ and SWAP
// is sent before the next request is looked at; what arrives meanwhile beyond one byte is lost, so wait for the answer.
`default_nettype none
module delta_uart #(
  parameter DIVIDE = 104,
  parameter ADDRESS = 5
) (
  input  wire clk,
  input  wire rst,
  input  wire rx,
  output wire tx,
  output wire busy
);
  wire       in_valid, out_ready, result_valid;
  wire [7:0] in_data;
  wire [63:0] state;
  uart_rx #(.DIVIDE(DIVIDE)) receiver (.clk(clk), .rst(rst), .line(rx), .valid(in_valid), .data(in_data));

  localparam IDLE = 2'd0, CONTEXT = 2'd1, WORD = 2'd2, ANSWER = 2'd3;
  reg [1:0]  phase;
  reg [2:0]  count;
  reg [7:0]  op;
  reg [ADDRESS-1:0] number;
  reg [63:0] word;
  reg        go, holds;
  wire carries = op == "L" | op == "A" | op == "S";
  wire answers = op == "R" | op == "S" | op == "K";

  delta_table #(.WIDTH(64), .ADDRESS(ADDRESS), .PORTS(1), .LANE(0)) contexts (
    .clk(clk), .rst(rst),
    .accum(go & op == "A"), .accum_address(number), .accum_delta(word),
    .load(go & op == "L"), .read(go & op == "R"), .swap(go & (op == "S" | op == "K")), .swap_keep(op == "K"),
    .address(number), .value(word), .result_valid(result_valid), .result(state)
  );
  uart_tx #(.DIVIDE(DIVIDE)) sender (
    .clk(clk), .rst(rst), .valid(holds), .ready(out_ready), .data(word[7:0]), .line(tx)
  );
  assign busy = phase != IDLE;

  always @(posedge clk) begin
    go <= 1'b0;
    case (phase)
      IDLE: if (in_valid) begin
        op <= in_data;
        if (in_data == "L" | in_data == "A" | in_data == "R" | in_data == "S" | in_data == "K") phase <= CONTEXT;
      end
      CONTEXT: if (in_valid) begin
        number <= in_data[ADDRESS-1:0];
        count  <= 3'd0;
        go     <= ~carries;
        phase  <= carries ? WORD : ANSWER;
      end
      WORD: if (in_valid) begin
        word  <= {in_data, word[63:8]};
        count <= count + 3'd1;
        if (count == 3'd7) begin
          go    <= 1'b1;
          phase <= answers ? ANSWER : IDLE;
        end
      end
      ANSWER: begin
        if (result_valid) begin
          word  <= state;
          holds <= 1'b1;
        end
        if (holds & out_ready) begin
          word  <= {8'd0, word[63:8]};
          count <= count + 3'd1;
          if (count == 3'd7) begin
            holds <= 1'b0;
            phase <= IDLE;
          end
        end
      end
    endcase
    if (rst) begin
      phase <= IDLE;
      go    <= 1'b0;
      holds <= 1'b0;
      count <= 3'd0;
    end
  end
endmodule
`default_nettype wire
