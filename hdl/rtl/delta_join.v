// delta_join: y = a (.) b, the one place that knows what a lane is.
//
//   LANE 0  xor   a ^ b                 Z2^n     own inverse
//   LANE 1  add   a + b  (mod 2^WIDTH)  Z/2^n    inverse is negation
//   LANE 2  max   larger of a and b     unsigned; no inverse
//
// Each is commutative and associative and has 0 as its identity; nothing else is relied on.
`default_nettype none
module delta_join #(
  parameter WIDTH = 64,
  parameter LANE  = 0
) (
  input  wire [WIDTH-1:0] a,
  input  wire [WIDTH-1:0] b,
  output wire [WIDTH-1:0] y
);
  generate
    if (LANE == 0)      assign y = a ^ b;
    else if (LANE == 1) assign y = a + b;
    else                assign y = (a < b) ? b : a;
  endgenerate
endmodule
`default_nettype wire
