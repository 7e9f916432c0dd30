// delta_fold: a stream of PORTS words a clock, folded into one word when `last` comes.
//
//   words --> delta_tree (ceil(log_RADIX PORTS) clocks) --> accumulator --> word, valid for the clock after `last`
//
// A word whose `keep` bit is 0 is not folded in. Streams follow each other without a gap: the clock after `last` starts
// the next one from 0. `advance` low freezes everything, so a full consumer stalls the producer and nothing is lost.
`default_nettype none
module delta_fold #(
  parameter WIDTH = 64,
  parameter PORTS = 8,
  parameter LANE = 0,
  parameter RADIX = (LANE == 0) ? 8 : 2
) (
  input  wire                   clk,
  input  wire                   rst,
  input  wire                   advance,
  // in
  input  wire                   valid,
  input  wire                   last,
  input  wire [PORTS-1:0]       keep,
  input  wire [PORTS*WIDTH-1:0] words,
  // out
  output reg                    folded_valid,
  output reg  [WIDTH-1:0]       folded
);
  function integer levels(input integer ports);
    integer n;
    begin
      levels = 0;
      for (n = ports; n > 1; n = (n + RADIX - 1) / RADIX) levels = levels + 1;
    end
  endfunction
  localparam LEVELS = levels(PORTS);

  wire [PORTS*WIDTH-1:0] masked;
  wire [WIDTH-1:0]       beat, sum;
  genvar p;
  generate
    for (p = 0; p < PORTS; p = p + 1) begin : port
      assign masked[p*WIDTH +: WIDTH] = (valid & keep[p]) ? words[p*WIDTH +: WIDTH] : {WIDTH{1'b0}};
    end
  endgenerate
  delta_tree #(.WIDTH(WIDTH), .PORTS(PORTS), .RADIX(RADIX), .LANE(LANE)) tree (
    .clk(clk), .rst(rst), .advance(advance), .words(masked), .joined(beat)
  );

  // `valid & last` travels beside its beat
  wire [LEVELS:0] last_at;
  assign last_at[0] = valid & last & ~rst;
  genvar k;
  generate
    for (k = 1; k <= LEVELS; k = k + 1) begin : delay
      reg last_k;
      initial last_k = 1'b0;
      always @(posedge clk) if (rst) last_k <= 1'b0; else if (advance) last_k <= last_at[k-1];
      assign last_at[k] = last_k;
    end
  endgenerate

  // the running fold; a finished one leaves and the next starts from 0
  reg [WIDTH-1:0] accumulator;
  delta_join #(.WIDTH(WIDTH), .LANE(LANE)) join_beat (.a(accumulator), .b(beat), .y(sum));
  initial begin accumulator = 0; folded_valid = 1'b0; folded = 0; end
  always @(posedge clk) begin
    if (rst) begin
      accumulator  <= {WIDTH{1'b0}};
      folded_valid <= 1'b0;
    end else if (advance) begin
      accumulator  <= last_at[LEVELS] ? {WIDTH{1'b0}} : sum;
      folded_valid <= last_at[LEVELS];
      folded       <= sum;
    end
  end
endmodule
`default_nettype wire
