// Codes that decode, execute and the CSRs agree on.
localparam [2:0] ALU_ADD = 3'd0, ALU_LESS = 3'd1, ALU_LOGIC = 3'd2, ALU_SHIFT = 3'd3,
                 ALU_LINK = 3'd4, ALU_CSR = 3'd5, ALU_DELTA = 3'd6;
localparam [3:0] CSR_ZERO = 4'd0, CSR_MSTATUS = 4'd1, CSR_MISA = 4'd2, CSR_MIE = 4'd3, CSR_MTVEC = 4'd4,
                 CSR_MSCRATCH = 4'd5, CSR_MEPC = 4'd6, CSR_MCAUSE = 4'd7, CSR_MTVAL = 4'd8, CSR_MIP = 4'd9,
                 CSR_MCYCLE = 4'd10, CSR_MINSTRET = 4'd11, CSR_PMPADDR0 = 4'd12, CSR_MMISALIGN = 4'd13;
// A pc is kept in 32 bits: bits 32:2, and bit 31 here is 1 when any of bits 63:33 was, which makes it an address that no
// bus answers. So mepc, mtvec and the pc hold every address below 8 GiB, and an invalid one stays invalid.
