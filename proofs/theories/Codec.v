(* The bytes of a delta: varints, words by their spans, shapes, blocks of rows, tables, points.

   A codec here is prefix-free: encK says that decoding what was encoded gives it back and leaves what
   follows; decK says that whatever the decoder accepts is exactly what the encoder writes. From the two
   follow: equal bytes iff equal deltas, no other bytes accepted, every truncation refused. Codecs compose
   (`dep`, `only`, `view`), so the laws need proving once a combinator, and the format is written as it is read.
   `view` decodes, and refuses what it would not write so: the checks of the TypeScript decoder, in one place.
   Not modelled: text keys, registers (stamps and values of zero) and rows whose bits are listed.
   Over 500 lines: the format from one varint to a whole delta, each codec beside its two laws. *)
From Coq Require Import NArith Lia.
From mathcomp Require Import all_ssreflect.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Local Arguments N.mul : simpl never.
Local Arguments N.add : simpl never.
Local Arguments N.sub : simpl never.
Local Arguments N.div : simpl never.
Local Arguments N.modulo : simpl never.
Local Arguments N.pow : simpl never.
Local Arguments N.ltb : simpl never.
Local Arguments N.leb : simpl never.
Local Arguments N.eqb : simpl never.
Local Arguments N.odd : simpl never.
Local Arguments N.of_nat : simpl never.

Definition bytes := seq N.

Record codec (T : Type) := Codec {
  ok : T -> bool;
  enc : T -> bytes;
  dec : bytes -> option (T * bytes);
  encK : forall x r, ok x -> dec (enc x ++ r) = Some (x, r);
  decK : forall b x r, dec b = Some (x, r) -> ok x /\ b = enc x ++ r }.

(* A whole message: nothing may follow. *)
Definition decode T (c : codec T) b := if dec c b is Some (x, [::]) then Some x else None.

Section Laws.
Variables (T : Type) (c : codec T).

Theorem decode_encode x : ok c x -> decode c (enc c x) = Some x.
Proof. by move=> okx; rewrite /decode -[enc c x]cats0 encK. Qed.

Theorem decode_canonical b x : decode c b = Some x -> enc c x = b.
Proof.
rewrite /decode; case E: (dec c b) => [[y [|z r]]|] // [<-].
by case: (decK E) => _; rewrite cats0.
Qed.

Theorem decode_ok b x : decode c b = Some x -> ok c x.
Proof. by rewrite /decode; case E: (dec c b) => [[y [|z r]]|] // [<-]; case: (decK E). Qed.

Theorem enc_inj x y : ok c x -> ok c y -> enc c x = enc c y -> x = y.
Proof. by move=> okx oky E; have := decode_encode okx; rewrite E decode_encode // => -[]. Qed.

(* Equal bytes exactly for equal values. *)
Theorem encode_canonical x y : ok c x -> ok c y -> (enc c x = enc c y <-> x = y).
Proof. by move=> okx oky; split=> [|->]; [exact: enc_inj |]. Qed.

(* No encoding is the beginning of another: what can be read never depends on what follows. *)
Theorem enc_prefix_free x y r : ok c x -> ok c y -> enc c x = enc c y ++ r -> x = y /\ r = [::].
Proof.
move=> okx oky E; have := encK [::] okx; rewrite cats0 E encK // => -[-> ->] //.
Qed.

(* Every truncation is refused. *)
Theorem truncation_refused x p q : ok c x -> enc c x = p ++ q -> q <> [::] -> decode c p = None.
Proof.
move=> okx E ne; case D: (decode c p) => [y|] //; have oky := decode_ok D.
by move: E; rewrite -(decode_canonical D) => /enc_prefix_free -/(_ okx oky) [].
Qed.

(* And so is every continuation. *)
Theorem trailing_refused x q : ok c x -> q <> [::] -> decode c (enc c x ++ q) = None.
Proof. by move=> okx; rewrite /decode encK //; case: q. Qed.

End Laws.

(* ** Varints: seven bits a byte, least significant first, the fewest bytes, at most eight *)

Fixpoint put_varint (f : nat) (n : N) : bytes :=
  if (n <? 128)%num then [:: n]
  else if f is f'.+1 then (n mod 128 + 128)%num :: put_varint f' (n / 128)%num else [::].

Fixpoint get_varint (f : nat) (b : bytes) : option (N * bytes) :=
  if b is x :: b' then
    if (x <? 128)%num then Some (x, b')
    else if (x <? 256)%num then
      if f is f'.+1 then
        if get_varint f' b' is Some (y, r) then
          if (y =? 0)%num then None else Some ((x - 128 + 128 * y)%num, r)
        else None
      else None
    else None
  else None.

Lemma put_varintK f n r : (n < 128 ^ (N.of_nat f + 1))%num -> get_varint f (put_varint f n ++ r) = Some (n, r).
Proof.
elim: f n => [|f IH] n lt /=; case: N.ltb_spec => [l|g] /=.
- by case: N.ltb_spec => // ge; exfalso; lia.
- by move: lt; rewrite N.pow_1_r => lt; exfalso; lia.
- by case: N.ltb_spec => // ge; exfalso; lia.
have mlt : (n mod 128 < 128)%num by apply: N.mod_lt.
have dm : n = (128 * (n / 128) + n mod 128)%num by apply: N.div_mod.
have ql : (n / 128 < 128 ^ (N.of_nat f + 1))%num.
  apply: N.div_lt_upper_bound => //; rewrite -N.pow_succ_r'.
  by rewrite (_ : N.succ _ = N.of_nat f.+1 + 1)%num //; lia.
move: (n mod 128)%num (n / 128)%num mlt dm ql => m q mlt dm ql.
case: N.ltb_spec => h1; first by exfalso; lia.
case: N.ltb_spec => h2; last by exfalso; lia.
rewrite IH //.
case: N.eqb_spec => [z|_]; first by exfalso; lia.
by congr (Some (_, _)); lia.
Qed.

Lemma get_varintK f b n r : get_varint f b = Some (n, r) ->
  (n < 128 ^ (N.of_nat f + 1))%num /\ b = put_varint f n ++ r.
Proof.
elim: f b n r => [|f IH] [|x b] n r //=; case: N.ltb_spec => [l|g].
- by case=> <- <-; rewrite (proj2 (N.ltb_lt _ _)) // N.add_0_l N.pow_1_r.
- by case: ifP.
- case=> <- <-; rewrite (proj2 (N.ltb_lt _ _)) //; split=> //.
  apply: N.lt_le_trans l _; rewrite -[X in (X <= _)%num]N.pow_1_r; apply: N.pow_le_mono_r => //; lia.
case: N.ltb_spec => // l; case E: (get_varint f b) => [[y r']|] //; case: N.eqb_spec => // nz [<- <-].
have [lt ->] := IH _ _ _ E; case: N.ltb_spec => h; first by exfalso; lia.
have e: (x - 128 + 128 * y = 128 * y + (x - 128))%num by lia.
split; last first.
  rewrite e -(N.div_unique _ 128 y (x - 128)) //; last by lia.
  by rewrite -(N.mod_unique _ 128 y (x - 128)) //=; [congr (_ :: _); lia | lia].
have ->: (128 ^ (N.of_nat f.+1 + 1) = 128 * 128 ^ (N.of_nat f + 1))%num.
  by rewrite -N.pow_succ_r'; congr (_ ^ _)%num; lia.
by lia.
Qed.

Arguments put_varint : simpl never.
Arguments get_varint : simpl never.

Definition varint_max : N := 2 ^ 56.

Lemma varint_encK n r : (n <? varint_max)%num -> get_varint 7 (put_varint 7 n ++ r) = Some (n, r).
Proof. by move/N.ltb_lt => lt; apply: put_varintK. Qed.

Lemma varint_decK b n r : get_varint 7 b = Some (n, r) -> (n <? varint_max)%num /\ b = put_varint 7 n ++ r.
Proof. by move/get_varintK => [lt E]; split=> //; apply/N.ltb_lt. Qed.

Definition varint : codec N := Codec varint_encK varint_decK.

(* ** Codecs from codecs *)

(* Always this value, in no bytes; and no value at all. *)
Section Always.
Variables (T : eqType) (x : T).
Definition always_dec (b : bytes) := Some (x, b).
Lemma always_encK y r : y == x -> always_dec ([::] ++ r) = Some (y, r).
Proof. by move/eqP ->. Qed.
Lemma always_decK b y r : always_dec b = Some (y, r) -> (y == x) /\ b = [::] ++ r.
Proof. by case=> <- <-. Qed.
Definition always : codec T := @Codec T (fun y => y == x) (fun _ => [::]) always_dec always_encK always_decK.
End Always.

Section Nothing.
Variable T : Type.
Lemma nothing_encK (x : T) r : false -> @None (T * bytes) = Some (x, r). Proof. by []. Qed.
Lemma nothing_decK (b : bytes) (x : T) r : @None (T * bytes) = Some (x, r) -> false /\ b = [::] ++ r. Proof. by []. Qed.
Definition nothing : codec T :=
  @Codec T (fun _ => false) (fun _ => [::]) (fun _ => None) nothing_encK nothing_decK.
End Nothing.

(* One, then another that may depend on it. *)
Section Dep.
Variables (A B : Type) (a : codec A) (b : A -> codec B).
Definition dep_ok (p : A * B) := ok a p.1 && ok (b p.1) p.2.
Definition dep_enc (p : A * B) := enc a p.1 ++ enc (b p.1) p.2.
Definition dep_dec s : option ((A * B) * bytes) :=
  if dec a s is Some (x, s1) then if dec (b x) s1 is Some (y, r) then Some ((x, y), r) else None else None.
Lemma dep_encK p r : dep_ok p -> dep_dec (dep_enc p ++ r) = Some (p, r).
Proof. by case: p => x y /andP [okx oky]; rewrite /dep_dec /dep_enc -catA (encK _ okx) (encK _ oky). Qed.
Lemma dep_decK s p r : dep_dec s = Some (p, r) -> dep_ok p /\ s = dep_enc p ++ r.
Proof.
rewrite /dep_dec; case E: (dec a s) => [[x s1]|] //; case F: (dec (b x) s1) => [[y r']|] // [<- <-].
have [okx ->] := decK E; have [oky ->] := decK F.
by rewrite /dep_ok /dep_enc okx oky -catA.
Qed.
Definition dep : codec (A * B) := Codec dep_encK dep_decK.
End Dep.

(* The same codec for fewer values. *)
Section Only.
Variables (A : Type) (p : A -> bool) (a : codec A).
Definition only_ok x := p x && ok a x.
Definition only_dec s := if dec a s is Some (x, r) then if p x then Some (x, r) else None else None.
Lemma only_encK x r : only_ok x -> only_dec (enc a x ++ r) = Some (x, r).
Proof. by case/andP => px okx; rewrite /only_dec (encK _ okx) px. Qed.
Lemma only_decK s x r : only_dec s = Some (x, r) -> only_ok x /\ s = enc a x ++ r.
Proof.
rewrite /only_dec /only_ok; case E: (dec a s) => [[y r']|] //; case: ifP => // py [<- <-].
by have [-> ->] := decK E; rewrite py.
Qed.
Definition only : codec A := Codec only_encK only_decK.
End Only.

(* Other values for the same bytes: `f` reads what was decoded, `g` says how it is spelt; any other spelling is refused. *)
Section View.
Variables (A B : eqType) (f : A -> B) (g : B -> A) (a : codec A).
Definition view_ok y := ok a (g y) && (f (g y) == y).
Definition view_enc y := enc a (g y).
Definition view_dec s := if dec a s is Some (x, r) then if g (f x) == x then Some (f x, r) else None else None.
Lemma view_encK y r : view_ok y -> view_dec (view_enc y ++ r) = Some (y, r).
Proof. by case/andP => okg /eqP E; rewrite /view_dec /view_enc (encK _ okg) E eqxx. Qed.
Lemma view_decK s y r : view_dec s = Some (y, r) -> view_ok y /\ s = view_enc y ++ r.
Proof.
rewrite /view_dec /view_ok /view_enc; case E: (dec a s) => [[x r']|] //; case: eqP => // e [<- <-].
by have [okx ->] := decK E; rewrite e okx eqxx.
Qed.
Definition view : codec B := Codec view_encK view_decK.
End View.

(* Lists: by their first and the rest, of a known length, and until an entry says that it is the last. *)
Section Lists.
Variables (T : eqType) (x0 : T).
Definition join (p : T * seq T) := p.1 :: p.2.
Definition part (l : seq T) := (head x0 l, behead l).

Fixpoint rep (n : nat) (c : codec T) : codec (seq T) :=
  if n is n'.+1 then view join part (dep c (fun _ => rep n' c)) else always [::].

Lemma rep_ok n c l : ok (rep n c) l = (size l == n) && all (ok c) l.
Proof.
elim: n l => [|n IH] [|x l] //=; first by rewrite /view_ok /= andbF.
by rewrite /view_ok /= /dep_ok /part /join /= IH eqxx andbT eqSS andbCA.
Qed.

Section Flagged.
Variables (S : Type) (c : S -> codec (T * bool)) (next : S -> T -> S).
Definition join_flag (p : (T * bool) * seq T) := p.1.1 :: p.2.
Definition part_flag (l : seq T) := ((head x0 l, nilp (behead l)), behead l).
Fixpoint flagged (fuel : nat) (s : S) : codec (seq T) :=
  if fuel is fuel'.+1 then view join_flag part_flag
    (dep (c s) (fun p => if p.2 then always [::] else flagged fuel' (next s p.1)))
  else nothing _.
End Flagged.
End Lists.

(* ** Bytes and words: little endian, and by the span of bytes from the lowest to the highest that is not 0 *)

Definition byte_dec (b : bytes) : option (N * bytes) :=
  if b is x :: r then if (x <? 256)%num then Some (x, r) else None else None.
Lemma byte_encK n r : (n <? 256)%num -> byte_dec ([:: n] ++ r) = Some (n, r).
Proof. by rewrite /byte_dec /= => ->. Qed.
Lemma byte_decK b n r : byte_dec b = Some (n, r) -> (n <? 256)%num /\ b = [:: n] ++ r.
Proof. by case: b => //= x b; case: ifP => // lt [<- <-]. Qed.
Definition byte : codec N := Codec byte_encK byte_decK.

Fixpoint le (k : nat) : codec N :=
  if k is k'.+1 then view (fun p : N * N => p.1 + 256 * p.2)%num (fun n => (n mod 256, n / 256)%num)
    (dep byte (fun _ => le k'))
  else always 0%num.

Lemma le_ok k n : (n < 256 ^ N.of_nat k)%num -> ok (le k) n.
Proof.
elim: k n => [|k IH] n; first by rewrite N.pow_0_r => lt /=; apply/eqP; lia.
rewrite Nnat.Nat2N.inj_succ N.pow_succ_r' => lt; rewrite /= /view_ok /= /dep_ok /=.
have dm : n = (256 * (n / 256) + n mod 256)%num by apply: N.div_mod.
have ml : (n mod 256 < 256)%num by apply: N.mod_lt.
have ql : (n / 256 < 256 ^ N.of_nat k)%num by apply: N.div_lt_upper_bound.
rewrite (IH _ ql) andbT; apply/andP; split; first by apply/N.ltb_lt.
by apply/eqP; move: (n mod 256)%num (n / 256)%num dm => m q ->; lia.
Qed.

Definition nonzero_word (n : N) := (0 <? n)%num && (n <? 2 ^ 64)%num.

(* Spans (first byte, bytes), in the order of their numbers, from 1. *)
Definition spans_of_word : seq (nat * nat) := [seq (s, e - s) | e <- iota 1 8, s <- iota 0 e].

Definition in_span (p : nat * nat) : codec N :=
  view (fun m => 256 ^ N.of_nat p.1 * m)%num (fun n => n / 256 ^ N.of_nat p.1)%num
    (only (fun m => ~~ (m mod 256 =? 0)%num && (256 ^ N.of_nat p.2.-1 <=? m)%num) (le p.2)).

Definition span_number (n : N) : nat := (find (fun p => ok (in_span p) n) spans_of_word).+1.
Definition word_of_span (i : nat) : codec N := in_span (nth (0, 0) spans_of_word i.-1).

(* A control byte: 1 to 6 words of one span. *)
Definition span_kinds : N := 37.
Definition span_words_max : nat := 6.
Definition control : codec (nat * nat) :=
  view (fun c => (N.to_nat (c mod span_kinds), (N.to_nat (c / span_kinds)).+1))
    (fun p => N.of_nat p.1 + span_kinds * N.of_nat p.2.-1)%num
    (only (fun c => ~~ (c mod span_kinds =? 0)%num && (c <? span_kinds * N.of_nat span_words_max)%num) byte).

Definition chunk := ((nat * nat) * seq N)%type.
Definition chunk_of : codec chunk := dep control (fun p => rep 0%num p.2 (word_of_span p.1)).

Fixpoint chunks (fuel n : nat) : codec (seq chunk) :=
  if n == 0 then always [::]
  else if fuel is fuel'.+1 then view (@join _) (part ((0, 0), [::]))
    (dep (only (fun c : chunk => size c.2 <= n) chunk_of) (fun c => chunks fuel' (n - size c.2)))
  else nothing _.

(* Words of one span stand together, as many as one control byte may say. *)
Definition close (i : nat) (vs : seq N) : seq chunk := if vs is [::] then [::] else [:: ((i, size vs), vs)].
Fixpoint gather (i : nat) (vs ws : seq N) : seq chunk :=
  if ws is w :: ws' then
    if (i == span_number w) && (size vs < span_words_max) then gather i (rcons vs w) ws'
    else close i vs ++ gather (span_number w) [:: w] ws'
  else close i vs.

Definition words (n : nat) : codec (seq N) :=
  view (fun cs => flatten [seq c.2 | c <- cs]) (gather 0 [::]) (chunks n n).

(* Every list of words that are not 0 can be written so: the checks above turn nothing away. *)

Lemma bytes_of (k : nat) n : (0 < n)%num -> (n < 256 ^ N.of_nat k)%num ->
  exists j, [/\ 0 < j <= k, (256 ^ N.of_nat j.-1 <= n)%num & (n < 256 ^ N.of_nat j)%num].
Proof.
move=> n0; elim: k => [|k IH] lt; first by exfalso; move: lt; rewrite N.pow_0_r; lia.
case: (N.ltb_spec n (256 ^ N.of_nat k)) => h; last by exists k.+1; split=> //=; rewrite leqnn.
by have [j [/andP [j0 jk] lo hi]] := IH h; exists j; split=> //; rewrite j0 leqW.
Qed.

Lemma span_exists (k : nat) n : (0 < n)%num -> (n < 256 ^ N.of_nat k)%num ->
  exists s j m, [/\ 0 < j, s + j <= k, n = (256 ^ N.of_nat s * m)%num, (m mod 256 <> 0)%num
    & (256 ^ N.of_nat j.-1 <= m)%num /\ (m < 256 ^ N.of_nat j)%num].
Proof.
elim: k n => [|k IH] n n0 lt; first by exfalso; move: lt; rewrite N.pow_0_r; lia.
case: (N.eqb_spec (n mod 256) 0) => m0; last first.
  have [j [/andP [j0 jk] lo hi]] := bytes_of n0 lt.
  by exists 0, j, n; split=> //; rewrite N.pow_0_r N.mul_1_l.
have dm : n = (256 * (n / 256) + n mod 256)%num by apply: N.div_mod.
have q0 : (0 < n / 256)%num by move: (n / 256)%num dm => q; lia.
have ql : (n / 256 < 256 ^ N.of_nat k)%num.
  by apply: N.div_lt_upper_bound => //; rewrite -N.pow_succ_r' -Nnat.Nat2N.inj_succ.
have [s [j [m [j0 sk E nz [lo hi]]]]] := IH _ q0 ql.
exists s.+1, j, m; split=> //.
by rewrite Nnat.Nat2N.inj_succ N.pow_succ_r' -N.mul_assoc -E; lia.
Qed.

Lemma span_listed s j : 0 < j -> s + j <= 8 -> (s, j) \in spans_of_word.
Proof.
move=> j0 sj.
have: all (fun s => all (fun j => (0 < j) && (s + j <= 8) ==> ((s, j) \in spans_of_word)) (iota 0 9)) (iota 0 9) by [].
have s9 : s \in iota 0 9 by rewrite mem_iota add0n ltnS (leq_trans (leq_addr j s) sj).
have j9 : j \in iota 0 9 by rewrite mem_iota add0n ltnS (leq_trans (leq_addl s j) sj).
by move=> /allP /(_ s s9) /allP /(_ j j9); rewrite j0 sj.
Qed.

Lemma has_span n : nonzero_word n -> has (fun p => ok (in_span p) n) spans_of_word.
Proof.
case/andP => /N.ltb_lt n0 /N.ltb_lt lt.
have [s [j [m [j0 sj E nz [lo hi]]]]] := @span_exists 8 n n0 lt.
apply/hasP; exists (s, j); first exact: span_listed.
have p0 : (256 ^ N.of_nat s <> 0)%num by apply: N.pow_nonzero.
have Em : (n / 256 ^ N.of_nat s = m)%num by rewrite E N.mul_comm N.div_mul.
rewrite /= /view_ok /= /only_ok Em -E eqxx andbT (le_ok hi) andbT.
by apply/andP; split; [case: N.eqb_spec | apply/N.leb_le].
Qed.

Lemma span_number_ok w : nonzero_word w -> (0 < span_number w <= 36) && ok (word_of_span (span_number w)) w.
Proof.
move=> nz; have h := has_span nz; apply/andP; split.
  by have := h; rewrite has_find /span_number ltn0Sn.
by have := nth_find (0, 0) h.
Qed.

Lemma control_ok i n : 0 < i <= 36 -> 0 < n <= span_words_max -> ok control (i, n).
Proof.
case/andP => i0 i36 /andP [n0 n6].
have: all (fun i => all (fun n => (0 < i) && (0 < n) ==> ok control (i, n)) (iota 0 7)) (iota 0 37) by vm_compute.
have i9 : i \in iota 0 37 by rewrite mem_iota add0n ltnS.
have n9 : n \in iota 0 7 by rewrite mem_iota add0n ltnS.
by move=> /allP /(_ i i9) /allP /(_ n n9); rewrite i0 n0.
Qed.

Definition chunk_good (c : chunk) := ok chunk_of c && (0 < size c.2).

Lemma chunks_ok fuel n cs : n <= fuel -> sumn [seq size c.2 | c : chunk <- cs] = n -> all chunk_good cs -> ok (chunks fuel n) cs.
Proof.
elim: fuel n cs => [|fuel IH] n [|c cs] le E good.
- by move: E => /= <-.
- by move: E good le => /= <- /andP [/andP [_ c0] _]; rewrite leqn0 addn_eq0 => /andP [/eqP z]; rewrite z in c0.
- by move: E => /= <-.
move: E le good => /= <- le /andP [/andP [okc c0] good].
have -> : (size c.2 + sumn [seq size c.2 | c : chunk <- cs] == 0) = false by rewrite addn_eq0 eqn0Ngt c0.
rewrite /= /view_ok /= /dep_ok /part /join /= /only_ok okc leq_addr eqxx andbT /= addKn; apply: IH => //.
by rewrite -ltnS (leq_trans _ le) // -[X in X < _]add0n ltn_add2r.
Qed.

Lemma close_good i vs : (vs = [::] \/ 0 < i <= 36) -> all (ok (word_of_span i)) vs -> size vs <= span_words_max ->
  [/\ all chunk_good (close i vs), sumn [seq size c.2 | c : chunk <- close i vs] = size vs
    & flatten [seq c.2 | c : chunk <- close i vs] = vs].
Proof.
case: vs => [|v vs] // [//|i36] a s6.
have okr : ok (rep 0%num (size (v :: vs)) (word_of_span i)) (v :: vs) by rewrite rep_ok eqxx.
have okc : ok chunk_of ((i, size (v :: vs)), v :: vs) by apply/andP; split; [exact: control_ok | exact: okr].
split; [by rewrite /close all_seq1 /chunk_good okc | by rewrite /= addn0 | by rewrite /= cats0].
Qed.

Lemma gather_good i vs ws : (vs = [::] \/ 0 < i <= 36) -> all (ok (word_of_span i)) vs -> size vs <= span_words_max ->
  all nonzero_word ws ->
  [/\ all chunk_good (gather i vs ws), sumn [seq size c.2 | c : chunk <- gather i vs ws] = size vs + size ws
    & flatten [seq c.2 | c : chunk <- gather i vs ws] = vs ++ ws].
Proof.
elim: ws i vs => [|w ws IH] i vs i36 a s6 /=; first by rewrite addn0 cats0 => _; exact: close_good.
case/andP => nz nzs; have /andP [w36 okw] := span_number_ok nz.
case: ifP => [/andP [/eqP e s5]|_].
  have a' : all (ok (word_of_span i)) (rcons vs w) by rewrite all_rcons a e okw.
  have [| |g -> ->] := IH i (rcons vs w) _ a' _ nzs; [by right; rewrite e | by rewrite size_rcons |].
  by split=> //; rewrite ?size_rcons ?addSnnS // cat_rcons.
have [g1 g2 g3] := close_good i36 a s6.
have [|||h1 h2 h3] := IH (span_number w) [:: w] _ _ _ nzs; [by right | by rewrite all_seq1; exact: okw | by [] |].
by split; [rewrite all_cat g1 h1 | rewrite map_cat sumn_cat g2 h2 | rewrite map_cat flatten_cat g3 h3].
Qed.

Theorem words_complete ws : all nonzero_word ws -> ok (words (size ws)) ws.
Proof.
move=> nz; have [|//|//|g s f] := @gather_good 0 [::] ws _ _ _ nz; first by left.
by rewrite /= /view_ok /= f eqxx andbT; apply: chunks_ok.
Qed.

(* ** Words of the add lane: zigzag first, so that small negative numbers are short *)

Definition word_ok (n : N) := (n <? 2 ^ 64)%num.

Lemma half_even t : (2 * t / 2 = t)%num.
Proof. by rewrite N.mul_comm N.div_mul. Qed.

Lemma half_odd t : ((2 * t + 1) / 2 = t)%num.
Proof. by symmetry; apply: (N.div_unique _ 2 t 1). Qed.

Lemma odd_odd t : N.odd (2 * t + 1) = true.
Proof. by rewrite N.add_comm N.odd_add_mul_2. Qed.

Lemma odd_even t : N.odd (2 * t) = false.
Proof. by rewrite N.odd_mul. Qed.

Definition zigzag (n : N) : N := if (n <? 2 ^ 63)%num then (2 * n)%num else (2 * (2 ^ 64 - n) - 1)%num.
Definition zagzig (n : N) : N := if N.odd n then (2 ^ 64 - (n / 2 + 1))%num else (n / 2)%num.

Lemma zigzag_ok n : word_ok n -> word_ok (zigzag n).
Proof.
move/N.ltb_lt => lt; apply/N.ltb_lt; rewrite /zigzag; case: N.ltb_spec => l.
  by move: l; change (2 ^ 63)%num with 9223372036854775808%num; change (2 ^ 64)%num with 18446744073709551616%num; lia.
by move: l lt; change (2 ^ 63)%num with 9223372036854775808%num; change (2 ^ 64)%num with 18446744073709551616%num; lia.
Qed.

Theorem zigzagK n : word_ok n -> zagzig (zigzag n) = n.
Proof.
move/N.ltb_lt => lt; rewrite /zagzig /zigzag; case: N.ltb_spec => l.
  by rewrite odd_even half_even.
have -> : (2 * (2 ^ 64 - n) - 1 = 2 * (2 ^ 64 - n - 1) + 1)%num.
  by move: l lt; change (2 ^ 63)%num with 9223372036854775808%num; change (2 ^ 64)%num with 18446744073709551616%num; lia.
rewrite odd_odd half_odd.
by move: l lt; change (2 ^ 63)%num with 9223372036854775808%num; change (2 ^ 64)%num with 18446744073709551616%num; lia.
Qed.

Lemma zagzig_ok n : word_ok n -> word_ok (zagzig n) /\ zigzag (zagzig n) = n.
Proof.
move/N.ltb_lt => lt; have eq := N.div_mod n 2 (fun e => ltac:(discriminate e)).
have ml : (n mod 2 < 2)%num by apply: N.mod_lt.
rewrite /zagzig -N.bit0_odd N.bit0_eqb.
move: (n / 2)%num (n mod 2)%num eq ml => h m eq ml.
change (2 ^ 64)%num with 18446744073709551616%num in lt.
case: N.eqb_spec => em; rewrite /zigzag /word_ok.
  change (2 ^ 63)%num with 9223372036854775808%num; change (2 ^ 64)%num with 18446744073709551616%num.
  split; first by apply/N.ltb_lt; lia.
  by case: N.ltb_spec; lia.
change (2 ^ 63)%num with 9223372036854775808%num; change (2 ^ 64)%num with 18446744073709551616%num.
split; first by apply/N.ltb_lt; lia.
by case: N.ltb_spec; lia.
Qed.

(* The word of a lane. *)
Inductive kind := Xor | Add.
Definition code (k : kind) n := if k is Add then zigzag n else n.
Definition uncode (k : kind) n := if k is Add then zagzig n else n.
Definition coded (ks : seq kind) ws := [seq code p.1 p.2 | p <- zip ks ws].
Definition uncoded (ks : seq kind) ws := [seq uncode p.1 p.2 | p <- zip ks ws].

Definition values (ks : seq kind) : codec (seq N) := view (uncoded ks) (coded ks) (words (size ks)).

Lemma codeK k n : word_ok n -> uncode k (code k n) = n.
Proof. by case: k => // okn; apply: zigzagK. Qed.

Lemma code_nonzero k n : nonzero_word n -> nonzero_word (code k n).
Proof.
case: k => //; rewrite /nonzero_word /= => /andP [/N.ltb_lt n0 lt]; 
have okz : (zigzag n <? 2 ^ 64)%num by exact: (@zigzag_ok n lt).
rewrite okz andbT.
apply/N.ltb_lt; rewrite /zigzag; move/N.ltb_lt: lt; case: N.ltb_spec => l lt; first by lia.
by move: l lt; change (2 ^ 63)%num with 9223372036854775808%num; change (2 ^ 64)%num with 18446744073709551616%num; lia.
Qed.

Theorem values_complete ks ws : size ws = size ks -> all nonzero_word ws -> ok (values ks) ws.
Proof.
move=> sz nz; have szc : size (coded ks ws) = size ks by rewrite size_map size_zip sz minnn.
have nzc : all nonzero_word (coded ks ws).
  elim: ks ws sz nz {szc} => [|k ks IH] [|w ws] //= [sz] /andP [nw nz].
  by rewrite code_nonzero //= IH.
rewrite /= /view_ok -szc words_complete //=; apply/eqP.
elim: ks ws sz nz {szc nzc} => [|k ks IH] [|w ws] //= [sz] /andP [/andP [_ okw] nz].
by rewrite /uncoded /= codeK // -[in RHS](IH ws sz nz).
Qed.

(* ** Shapes: the places of a row's words that are not 0, by runs *)

Section Delta.
Variables (kinds : nat -> kind) (words_max tables words_a_row : nat).

Definition below (m : N) : codec N := only (fun n => n <=? m)%num varint.
Definition rows_max : N := 2 ^ 22.

(* How many, when there are at least two. *)
Definition several (m : N) : codec nat := view (fun n => (N.to_nat n).+2) (fun k => N.of_nat k.-2) (below m).

Definition run_head : codec (nat * bool) :=
  view (fun h => (N.to_nat (h / 2), N.odd h)) (fun p => 2 * N.of_nat p.1 + N.b2n p.2)%num
    (below (2 * N.of_nat words_max + 1)%num).

Definition run : codec (nat * nat) :=
  view (fun p => (p.1.1, p.2)) (fun q => ((q.1, 1 < q.2), q.2))
    (dep run_head (fun p => if p.2 then several (N.of_nat words_max) else always 1)).

Fixpoint places (p : nat) (qs : seq (nat * nat)) : seq nat :=
  if qs is (g, k) :: qs' then iota (p + g) k ++ places (p + g + k) qs' else [::].

Fixpoint runs_of (p : nat) (ps : seq nat) : seq (nat * nat) :=
  if ps is x :: ps' then
    if runs_of x.+1 ps' is (0, k) :: qs then (x - p, k.+1) :: qs else (x - p, 1) :: runs_of x.+1 ps'
  else [::].

Definition run_count : codec nat :=
  view (fun h => N.to_nat (h / 2)) (fun k => 2 * N.of_nat k)%num (below (2 * N.of_nat words_max)%num).

Definition shape : codec (seq nat) :=
  only (fun ps => (0 < size ps) && all (fun p => p < words_a_row) ps)
    (view (fun r => places 0 r.2) (fun ps => (size (runs_of 0 ps), runs_of 0 ps))
      (dep run_count (fun n => rep (0, 0) n run))).

(* Places ascend: every such list is read back from its runs. *)
Theorem runs_of_places p ps : path ltn p ps -> places p.+1 (runs_of p.+1 ps) = ps.
Proof.
elim: ps p => //= x ps IH p /andP [px a]; have := IH x a.
case: (runs_of x.+1 ps) => [|[[|g] k] qs] /=; rewrite ?subnKC //= ?addn1 ?addn0.
- by move=> <-.
- by rewrite addSnnS => ->.
- by move=> <-.
Qed.

(* ** Blocks: rows of one shape that follow each other by number *)

Definition row := (seq nat * seq N)%type.
Definition block := ((N * seq nat) * seq (seq N))%type.

Definition block_head : codec ((N * bool) * (bool * bool)) :=
  view (fun h => ((h / 8, N.testbit h 2), (N.testbit h 1, N.testbit h 0)))%num
    (fun q => 8 * q.1.1 + 4 * N.b2n q.1.2 + 2 * N.b2n q.2.1 + N.b2n q.2.2)%num
    (below (8 * rows_max + 7)%num).

(* Words stand place by place, each place row by row. *)
Definition by_place (s : seq nat) (rs : seq (seq N)) := flatten [seq [seq nth 0%num r i | r <- rs] | i <- iota 0 (size s)].
Definition by_row (s : seq nat) (k : nat) (ws : seq N) :=
  [seq [seq nth 0%num ws (i * k + j) | i <- iota 0 (size s)] | j <- iota 0 k].
Definition kinds_by_place (s : seq nat) (k : nat) := flatten [seq nseq k (kinds p) | p <- s].

(* `before` is the shape of the block before, empty for none. *)
Definition block_of (before : seq nat) : codec (block * bool) :=
  view (fun q : ((((N * bool) * (bool * bool)) * nat) * seq nat) * seq N =>
      (((q.1.1.1.1.1, q.1.2), by_row q.1.2 q.1.1.2 q.2), q.1.1.1.1.2))
    (fun p => ((((p.1.1.1, p.2), (p.1.1.2 == before, 1 < size p.1.2)), size p.1.2), p.1.1.2, by_place p.1.1.2 p.1.2))
    (dep (dep (dep (only (fun h => ~~ (h.2.1 && (h.1.1 == 0)%num)) block_head)
        (fun h => if h.2.2 then several rows_max else always 1))
      (fun q => if q.1.2.1 then only (fun s => 0 < size s) (always before) else shape))
    (fun q => values (kinds_by_place q.2 q.1.2))).

Definition blocks (fuel : nat) : codec (seq block) :=
  flagged ((0%num, [::]), [::]) block_of (fun _ b => b.1.2) fuel [::].

(* ** Tables: rows by number, each with its places and words *)

Fixpoint rows_of (p : N) (bs : seq block) : seq (N * row) :=
  if bs is ((g, s), rs) :: bs' then
    [seq ((p + g + N.of_nat q.1)%num, (s, q.2)) | q <- zip (iota 0 (size rs)) rs]
      ++ rows_of (p + g + N.of_nat (size rs))%num bs'
  else [::].

Fixpoint blocks_of (p : N) (rs : seq (N * row)) : seq block :=
  if rs is (n, (s, ws)) :: rs' then
    let bs := blocks_of (n + 1)%num rs' in
    if bs is ((0%num, s'), qs) :: bs' then
      if s' == s then ((n - p, s), ws :: qs)%num :: bs' else ((n - p, s), [:: ws])%num :: bs
    else ((n - p, s), [:: ws])%num :: bs
  else [::].

(* A row whose xor words, two or more, hold at most four bits each on average is written bit by bit instead: not modelled. *)
Definition bits_of (n : N) : nat := count (fun i => N.testbit n (N.of_nat i)) (iota 0 64).
Definition is_xor (k : kind) := if k is Xor then true else false.
Definition dense (r : row) :=
  let xs := [seq p.2 | p <- zip r.1 r.2 & is_xor (kinds p.1)] in
  (size xs < 2) || (4 * size xs < sumn [seq bits_of x | x <- xs]).

Variable fuel : nat.
Definition rows : codec (seq (N * row)) :=
  only (fun rs => all (fun r => dense r.2) rs) (view (rows_of 0) (blocks_of 0) (blocks fuel)).

Definition table_head : codec N := view (fun h => h / 4)%num (fun g => 4 * g)%num (below (4 * N.of_nat tables)%num).
Definition table := dep table_head (fun _ => rows).
Definition content := seq (N * seq (N * row)).

Definition table_count : codec nat := view N.to_nat N.of_nat (below (N.of_nat tables)).
Definition general : codec content :=
  view snd (fun d => (size d, d)) (dep table_count (fun n => rep (0%num, [::]) n table)).

(* ** Points: one word of one row *)

Definition full (n : N) := ~~ (n mod 256 =? 0)%num && (2 ^ 56 <=? n)%num.

Definition full_value (k : kind) : codec N := view (uncode k) (code k) (only full (le 8)).
Definition short_value (k : kind) : codec N :=
  only (fun n => ~~ full (code k n)) (view (head 0%num) (fun n => [:: n]) (values [:: k])).

(* Where: words 1, 2 and 3 of the first table in no bytes of their own, else table and word as one number. *)
Definition pair_place (t w : N) : N := ((t + w) * (t + w + 1) / 2 + w)%num.
Definition sum_of (p : N) : N := ((N.sqrt (8 * p + 1) - 1) / 2)%num.
Definition word_of_pair (p : N) : N := (p - sum_of p * (sum_of p + 1) / 2)%num.
Definition is_near (t w : N) := (t =? 0)%num && (0 <? w)%num && (w <=? 3)%num.
Definition near_of (t w : N) : N := if is_near t w then (w - 1)%num else 3%num.

(* The pair behind a head, none for a near word. *)
Definition where_of (h : N) : codec (N * N) :=
  let near := (((h - 1) / 2) mod 4)%num in
  only (fun q => (q.2 <? N.of_nat words_a_row)%num && (q.1 <? N.of_nat tables)%num)
    (if (near =? 3)%num then
      only (fun q => ~~ is_near q.1 q.2)
        (view (fun p => (sum_of p - word_of_pair p, word_of_pair p)%num) (fun q => pair_place q.1 q.2) (below (2 ^ 24)%num))
    else always (0%num, (near + 1)%num)).

(* 0 for the long form, else 1 + 2 (4 number + near) + full. *)
Definition head_of (d : content) : N :=
  if d is [:: (t, [:: (n, ([:: p], [:: v]))])] then
    (1 + 2 * (4 * n + near_of t (N.of_nat p)) + N.b2n (full (code (kinds p) v)))%num
  else 0%num.

Definition point_of (h : N) (q : (N * N) * N) : content :=
  [:: (q.1.1, [:: (((h - 1) / 8)%num, ([:: N.to_nat q.1.2], [:: q.2]))])].

Definition parts_of (d : content) : (N * N) * N :=
  if d is [:: (t, [:: (_, ([:: p], [:: v]))])] then ((t, N.of_nat p), v) else ((0, 0), 0)%num.

Definition point (h : N) : codec content :=
  view (point_of h) parts_of (dep (where_of h) (fun q =>
    let k := kinds (N.to_nat q.2) in if N.odd (h - 1) then full_value k else short_value k)).

Definition delta : codec content :=
  view snd (fun d => (head_of d, d)) (dep varint (fun h => if (h =? 0)%num then general else point h)).

(* The four sentences, for a whole delta. *)
Theorem delta_round_trip d : ok delta d -> decode delta (enc delta d) = Some d.
Proof. exact: decode_encode. Qed.

Theorem delta_canonical d e : ok delta d -> ok delta e -> (enc delta d = enc delta e <-> d = e).
Proof. exact: encode_canonical. Qed.

Theorem delta_only_canonical b d : decode delta b = Some d -> enc delta d = b.
Proof. exact: decode_canonical. Qed.

Theorem delta_truncation_refused d p q : ok delta d -> enc delta d = p ++ q -> q <> [::] -> decode delta p = None.
Proof. exact: truncation_refused. Qed.

End Delta.
