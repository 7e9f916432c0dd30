(* Traces the model computes. `generate` prints them; the TypeScript tests replay them, so model and code
   cannot drift apart. The strings are JSON; the functions that give the answers are the proved ones. *)
From Coq Require Import NArith String Ascii List.
From mathcomp Require Import all_ssreflect.
From ATOMiK Require Import Lanes Ledger Operations Codec.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.
Local Open Scope string_scope.

(* ** Text *)

Definition digit (n : N) : string :=
  String (ascii_of_N (if (n <? 10)%num then (48 + n)%num else (87 + n)%num)) "".

Fixpoint digits (base : N) (f : nat) (n : N) (s : string) : string :=
  if f is f'.+1 then
    let s' := digit (n mod base) ++ s in
    if (n <? base)%num then s' else digits base f' (n / base)%num s'
  else s.

Definition decimal (n : N) := digits 10 30 n "".
Definition hexadecimal (n : N) := "0x" ++ digits 16 70 n "".
Definition byte_text (n : N) := digit (n / 16) ++ digit (n mod 16).
Definition bytes_text (b : bytes) := String.concat "" (map byte_text b).
Definition quoted (s : string) := String (ascii_of_N 34) (s ++ String (ascii_of_N 34) "").
Definition field (name text : string) := quoted name ++ ":" ++ text.
Definition object (fs : seq string) := "{" ++ String.concat "," fs ++ "}".
Definition array (xs : seq string) := "[" ++ String.concat "," xs ++ "]".

(* ** Numbers that look random, from the model itself: a linear congruence, so a run is repeatable *)

Definition lcg (x : N) : N := ((6364136223846793005 * x + 1442695040888963407) mod 2 ^ 64)%num.
Fixpoint draws (k : nat) (x : N) : seq N := if k is k'.+1 then let y := lcg x in (y / 2 ^ 11)%num :: draws k' y else [::].
Fixpoint wide (k : nat) (xs : seq N) : N := if k is k'.+1 then (seq.head 0 xs + 2 ^ 53 * wide k' (behead xs))%num else 0%num.

(* ** Operations: contexts of the model, stepped *)

Section Trace.
Variables (n : N) (L : lane) (of_number : N -> L) (to_number : L -> N).

Definition update (cs : seq (context L)) a c := set_nth (load rest) cs a c.

(* One step of each kind, its text and the contexts after it. *)
Definition step (cs : seq (context L)) (a : nat) (kind x : N) : string * seq (context L) :=
  let c := nth (load rest) cs a in
  let at_ := field "address" (decimal (N.of_nat a)) in
  let val := hexadecimal (to_number (of_number x)) in
  let text op fs := object (field "op" (quoted op) :: at_ :: fs) in
  match kind with
  | 0 => (text "load" [:: field "value" (quoted val)], update cs a (load (of_number x)))
  | 1 => let r := swap c None in
    (text "swap" [:: field "value" "null"; field "expect" (quoted (hexadecimal (to_number r.1)))], update cs a r.2)
  | 2 => let r := swap c (Some (of_number x)) in
    (text "swap" [:: field "value" (quoted val); field "expect" (quoted (hexadecimal (to_number r.1)))], update cs a r.2)
  | 3 | 4 => (text "read" [:: field "expect" (quoted (hexadecimal (to_number (read c))))], cs)
  | _ => (text "accum" [:: field "value" (quoted val)], update cs a (accumulate c (of_number x)))
  end%num.

Fixpoint trace_steps (k : nat) (contexts : N) (cs : seq (context L)) (x : N) : seq string :=
  if k is k'.+1 then
    let xs := draws 7 x in
    let a := N.to_nat (nth 0%num xs 0 mod contexts) in
    let r := step cs a (nth 0%num xs 1 mod 9)%num (wide 5 (drop 2 xs)) in
    r.1 :: trace_steps k' contexts r.2 (lcg (lcg (x + nth 0%num xs 0)%num))
  else [seq (step cs a 3 0).1 | a <- iota 0 (N.to_nat contexts)].

End Trace.

Definition case_text (lane : string) (n contexts : N) (steps : seq string) : string :=
  object [:: field "name" (quoted ("model " ++ lane ++ " " ++ decimal n ++ " bits, " ++ decimal contexts ++ " contexts"));
    field "lane" (quoted lane); field "width" (decimal n); field "contexts" (decimal contexts);
    field "steps" (array steps)].

Definition steps_a_case := 24.
Definition case_of (i : nat) (n contexts : N) : seq string :=
  let seed := (N.of_nat i * 7919 + n)%num in
  [:: case_text "xor" n contexts (trace_steps (L := xor n) (trim n) (@value n) steps_a_case contexts [::] seed);
      case_text "add" n contexts (trace_steps (L := add n) (trim n) (@value n) steps_a_case contexts [::] (seed + 1)%num);
      case_text "max" n contexts (trace_steps (L := max n) (trim n) (@value n) steps_a_case contexts [::] (seed + 2)%num)].

Definition widths : seq (N * N) :=
  [:: (1, 1); (2, 3); (7, 2); (8, 8); (31, 1); (32, 5); (33, 2); (63, 1); (64, 4); (65, 3); (127, 1); (128, 2);
      (256, 3)]%num.

Local Open Scope seq_scope.
Definition operations : seq string :=
  flatten [seq case_of x.1 x.2.1 x.2.2 | x <- zip (iota 1 (size widths)) widths].

(* ** Codec *)

Local Open Scope seq_scope.

Definition kind_text k := quoted (if k is Add then "add" else "xor").

Definition varint_values : seq N :=
  [:: 0; 1; 2; 63; 64; 127; 128; 129; 255; 256; 16383; 16384; 2097151; 2097152; 2 ^ 28 - 1; 2 ^ 28; 2 ^ 32; 2 ^ 35 - 1;
      2 ^ 42; 2 ^ 49; 2 ^ 53 - 1]%num ++ [seq (x / 2)%num | x <- draws 12 23].

Definition varints_text := [seq object [:: field "value" (decimal v);
    field "bytes" (quoted (bytes_text (enc varint v)))] | v <- varint_values].

Definition word_values : seq N :=
  [:: 1; 2; 127; 128; 255; 256; 65535; 65536; 2 ^ 24; 2 ^ 31; 2 ^ 32 - 1; 2 ^ 32; 2 ^ 40 + 1; 2 ^ 56; 2 ^ 63 - 1;
      2 ^ 63; 2 ^ 63 + 1; 2 ^ 64 - 1; 2 ^ 64 - 2; 2 ^ 64 - 128; 2 ^ 64 - 129; 72057594037927680; 1311768467463790320]%num
  ++ [seq (x * 2048 + 5)%num | x <- draws 24 17].

(* Lists of words: each alone, many of one span, and mixed. *)
Definition word_lists : seq (seq N) :=
  [seq [:: v] | v <- word_values] ++ [seq nseq k 7%num | k <- [:: 2; 5; 6; 7; 12; 13]]
  ++ [:: word_values; rev word_values; draws 20 99; [:: 1; 2; 256; 512; 3]%num].

Definition words_text := [seq object [:: field "values" (array [seq quoted (hexadecimal v) | v <- ws]);
    field "bytes" (quoted (bytes_text (enc (words (size ws)) ws)))] | ws <- word_lists].

Definition tables_at_most := 3.
Definition row_words := 10.
Definition words_max := N.to_nat 4096.
Definition kinds_of (m i : nat) : kind := if m == 0 then Xor else if odd (i %/ m) then Add else Xor.
Definition delta_codec m := delta (kinds_of m) words_max tables_at_most row_words 100.

Definition row_of (n : N) (s : seq nat) (seed : N) : N * row := (n, (s, [seq (x * 1024 + 2 ^ 63 + 1)%num | x <- draws (size s) seed])).
Definition small_row (n : N) (p : nat) (v : N) : N * row := (n, ([:: p], [:: v])).
Arguments row_of n%num s seed%num.
Arguments small_row n%num p v%num.

Definition contents : seq content :=
  let n := N.of_nat in
  [:: [::];
      [:: (n 0, [:: small_row 0 0 1])]; [:: (n 2, [:: small_row 700 9 (2 ^ 63)])]; [:: (n 1, [:: small_row 3 4 (2 ^ 64 - 1)])];
      [:: (n 1, [:: small_row 3 4 (2 ^ 56 + 1)])]; [:: (n 1, [:: small_row 3 4 (2 ^ 56)])];
      [:: (n 0, [:: row_of 0 [:: 0; 1] 1])];
      [:: (n 0, [seq row_of (n i) [:: 1] (n i) | i <- iota 0 20])];
      [:: (n 0, [seq row_of (n (7 * i)) [:: 1; 3; 4] (n i) | i <- iota 0 6])];
      [:: (n 0, [seq row_of (n i) (if odd i then [:: 1] else [:: 2; 3]) (n i) | i <- iota 0 6])];
      [:: (n 0, [seq row_of (n i) (if i < 3 then [:: 1] else [:: 2; 9]) (n i) | i <- iota 0 7])];
      [:: (n 0, [seq small_row (n i) 4 (n i.+1) | i <- iota 0 9])];
      [:: (n 0, [:: row_of 1 [:: 0; 3; 4; 8] 5; row_of 2 [:: 0; 3; 4; 8] 6]); (n 1, [:: row_of 15 [:: 5] 7; row_of 17 [:: 5] 8])];
      [:: (n 0, [:: row_of 2000 (iota 0 10) 9]); (n 0, [:: row_of 0 [:: 9] 4])]].

Definition pair_text (x : nat * N) := array [:: decimal (N.of_nat x.1); quoted (hexadecimal x.2)].
Definition row_text (x : N * row) := object [:: field "number" (decimal x.1);
  field "words" (array [seq pair_text w | w <- zip x.2.1 x.2.2])].
Definition table_text (x : N * seq (N * row)) :=
  object [:: field "gap" (decimal x.1); field "rows" (array [seq row_text r | r <- x.2])].
Definition content_text m (d : content) := object [::
  field "kinds" (array [seq kind_text (kinds_of m i) | i <- iota 0 row_words]);
  field "tables" (array [seq table_text t | t <- d]);
  field "bytes" (quoted (bytes_text (enc (delta_codec m) d)))].

Definition deltas_text := flatten [seq [:: content_text 0 d; content_text 1 d; content_text 3 d] | d <- contents].

Definition truncations (b : bytes) := [seq take k b | k <- iota 0 (size b)].

(* What must be refused, and what it is. Every truncation of some good bytes, and bytes nobody would write. *)
Definition refused_varints : seq (string * bytes) := [::
  ("a varint in more bytes than it needs", [:: 128; 0]); ("zero in two bytes", [:: 129; 128; 0]);
  ("more than eight bytes", nseq 8 255 ++ [:: 1]); ("continued and then nothing", [:: 255]);
  ("a byte after the end", [:: 5; 5])]%num
  ++ [seq ("cut short", b) | b <- truncations (enc varint (2 ^ 52 + 1)%num)].

(* Taken for two words. *)
Definition refused_words : seq (string * bytes) := [::
  ("a span that begins with a zero byte", [:: 2; 0; 1; 1; 7]); ("a span that ends with a zero byte", [:: 2; 1; 0; 1; 7]);
  ("a control byte of no span", [:: 223; 1; 1]); ("one span under two control bytes", [:: 1; 1; 1; 2]);
  ("a control byte for more words than there are", [:: 75; 1; 2; 3]); ("a byte after the end", [:: 38; 1; 2; 3])]%num
  ++ [seq ("cut short", b) | b <- truncations (enc (words 2) [:: 1311768467463790320; 5]%num)].

Definition refused_deltas : seq (string * bytes) := [::
  ("a point in the long form", [:: 0; 1; 0; 4; 2; 2; 1; 1]); ("a table that does not exist in the count", [:: 0; 4]);
  ("runs that touch", [:: 0; 1; 0; 4; 4; 0; 0; 38; 1; 1]); ("no run", [:: 0; 1; 0; 4; 0]);
  ("a shape as before, and none was", [:: 0; 1; 0; 6; 1; 1]);
  ("a shape spelt out that is as before", [:: 0; 1; 0; 0; 2; 2; 1; 1; 12; 2; 2; 1; 1]);
  ("rows that belong to the block before", [:: 0; 1; 0; 0; 2; 2; 1; 1; 6; 1; 1]);
  ("no last block", [:: 0; 1; 0; 0; 2; 2; 1; 1]); ("a run beyond the row", [:: 0; 1; 0; 4; 2; 20; 1; 1]);
  ("a full word not said to be full", [:: 1; 30; 1; 1; 1; 1; 1; 1; 1; 1]);
  ("a near place spelt out", [:: 7; 2; 1; 1]); ("a place beyond the schema", [:: 7; 6; 1; 1]);
  ("a word said to be full that is not", [:: 2; 1; 1; 1; 1; 1; 1; 1; 0]);
  ("few bits that are not listed", [:: 0; 1; 0; 4; 2; 1; 0; 38; 1; 1]);
  ("a byte after the end", [:: 1; 1; 1; 0])]%num
  ++ [seq ("cut short", b) | b <- truncations (enc (delta_codec 0) (nth [::] contents 10))].

Definition refuses T (c : codec T) (x : string * bytes) := if decode c x.2 is None then true else false.

(* The model refuses each of them, and takes each delta above: what is printed is the encoding of something. *)
Lemma refused_are_refused : [&& all (refuses varint) refused_varints, all (refuses (words 2)) refused_words
  & all (refuses (delta_codec 0)) refused_deltas].
Proof. by vm_compute. Qed.

Lemma contents_are_deltas : all (fun m => all (ok (delta_codec m)) contents) [:: 0; 1; 3].
Proof. by vm_compute. Qed.

Definition refused_text kind (xs : seq (string * bytes)) := [seq object [:: field "what" (quoted x.1);
  field "bytes" (quoted (bytes_text x.2)); field "of" (quoted kind)] | x <- xs].

Definition refused := refused_text "varint" refused_varints ++ refused_text "words" refused_words
  ++ refused_text "delta" refused_deltas.
