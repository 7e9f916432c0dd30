// delta_tree: the join of PORTS words, a new set every clock, in ceil(log_RADIX(PORTS)) clocks.
//
// Level l+1 joins RADIX words of level l into one and registers it. One word needs no level and no clock.
// RADIX is 8 for xor (XORs of many words pack into LUTs) and 2 for the lanes that carry. `advance` low holds it.
// With LAST 0 the last level is not registered, so that whoever takes its word registers it, a clock earlier.
`default_nettype none
module delta_tree #(
  parameter WIDTH = 64,
  parameter PORTS = 8,
  parameter LANE = 0,
  parameter RADIX = (LANE == 0) ? 8 : 2,
  parameter LAST = 1
) (
  input  wire                   clk,
  input  wire                   rst,
  input  wire                   advance,
  input  wire [PORTS*WIDTH-1:0] words,
  output wire [WIDTH-1:0]       joined
);
  // words left after `level` levels
  function integer left(input integer level);
    integer l;
    begin
      left = PORTS;
      for (l = 0; l < level; l = l + 1) left = (left + RADIX - 1) / RADIX;
    end
  endfunction
  // levels needed; delta_table and delta_fold use the same count for their delays
  function integer levels(input integer ports);
    integer n;
    begin
      levels = 0;
      for (n = ports; n > 1; n = (n + RADIX - 1) / RADIX) levels = levels + 1;
    end
  endfunction
  localparam LEVELS = levels(PORTS);

  genvar l, g, k;
  generate
    for (l = 0; l <= LEVELS; l = l + 1) begin : level
      localparam COUNT = left(l);
      wire [COUNT*WIDTH-1:0] word;
    end
    assign level[0].word = words;
    for (l = 1; l <= LEVELS; l = l + 1) begin : stage
      localparam ABOVE = left(l - 1);
      for (g = 0; g < left(l); g = g + 1) begin : node
        localparam FIRST = g * RADIX;
        localparam MEMBERS = (FIRST + RADIX <= ABOVE) ? RADIX : ABOVE - FIRST;
        for (k = 0; k < MEMBERS; k = k + 1) begin : member
          wire [WIDTH-1:0] sum;
          if (k == 0) assign sum = level[l-1].word[FIRST*WIDTH +: WIDTH];
          else delta_join #(.WIDTH(WIDTH), .LANE(LANE)) join_member (
            .a(member[k-1].sum), .b(level[l-1].word[(FIRST+k)*WIDTH +: WIDTH]), .y(sum)
          );
        end
        if (l == LEVELS && LAST == 0) begin : open
          assign level[l].word[g*WIDTH +: WIDTH] = member[MEMBERS-1].sum;
        end else begin : clocked
          reg [WIDTH-1:0] held;
          initial held = {WIDTH{1'b0}};
          always @(posedge clk)
            if (rst) held <= {WIDTH{1'b0}};
            else if (advance) held <= member[MEMBERS-1].sum;
          assign level[l].word[g*WIDTH +: WIDTH] = held;
        end
      end
    end
    assign joined = level[LEVELS].word;
  endgenerate
endmodule
`default_nettype wire
