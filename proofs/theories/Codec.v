(* The bytes of a delta: varints, packed words, runs, rows, tables.

   A codec here is prefix-free: encK says that decoding what was encoded gives it back and leaves what
   follows; decK says that whatever the decoder accepts is exactly what the encoder writes. From the two
   follow: equal bytes iff equal deltas, no other bytes accepted, every truncation refused. Codecs
   compose, so the laws need proving once a part. Not modelled: text keys and the coding of stamps.
   Over 500 lines because the parts, from varint to delta, are one tower of composed codecs. *)
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

(* ** Packed words: a tag whose bits say which of the eight bytes are not zero, then those bytes *)

Fixpoint put_word (k : nat) (n : N) : N * bytes :=
  if k is k'.+1 then
    let: (t, bs) := put_word k' (n / 256)%num in
    if (n mod 256 =? 0)%num then ((2 * t)%num, bs) else ((2 * t + 1)%num, (n mod 256)%num :: bs)
  else (0%num, [::]).

Fixpoint get_word (k : nat) (t : N) (b : bytes) : option (N * bytes) :=
  if k is k'.+1 then
    if N.odd t then
      if b is x :: b' then
        if (0 <? x)%num && (x <? 256)%num then
          if get_word k' (t / 2)%num b' is Some (y, r) then Some ((256 * y + x)%num, r) else None
        else None
      else None
    else if get_word k' (t / 2)%num b is Some (y, r) then Some ((256 * y)%num, r) else None
  else if (t =? 0)%num then Some (0%num, b) else None.

Lemma half_even t : (2 * t / 2 = t)%num.
Proof. by rewrite N.mul_comm N.div_mul. Qed.

Lemma half_odd t : ((2 * t + 1) / 2 = t)%num.
Proof. by symmetry; apply: (N.div_unique _ 2 t 1). Qed.

Lemma odd_odd t : N.odd (2 * t + 1) = true.
Proof. by rewrite N.add_comm N.odd_add_mul_2. Qed.

Lemma odd_even t : N.odd (2 * t) = false.
Proof. by rewrite N.odd_mul. Qed.

Lemma put_wordK k n r : (n < 256 ^ N.of_nat k)%num ->
  get_word k (put_word k n).1 ((put_word k n).2 ++ r) = Some (n, r).
Proof.
elim: k n => [|k IH] n lt /=; first by congr (Some (_, _)); rewrite N.pow_0_r in lt; lia.
have dm : n = (256 * (n / 256) + n mod 256)%num by apply: N.div_mod.
have ml : (n mod 256 < 256)%num by apply: N.mod_lt.
have lt' : (n / 256 < 256 ^ N.of_nat k)%num.
  by apply: N.div_lt_upper_bound => //; rewrite -N.pow_succ_r' -Nnat.Nat2N.inj_succ.
have := IH _ lt'; move: (n mod 256)%num (n / 256)%num ml dm {lt'} => m q ml dm.
case: (put_word k q) => t bs /= E; case: N.eqb_spec => [z|nz]; cbn [fst snd].
  by rewrite odd_even half_even E; congr (Some (_, _)); lia.
rewrite odd_odd half_odd /= E.
case: N.ltb_spec => [_|h]; last by exfalso; lia.
by case: N.ltb_spec => [_|h]; [congr (Some (_, _)); lia | exfalso; lia].
Qed.

Lemma get_wordK k t b n r : get_word k t b = Some (n, r) ->
  [/\ (n < 256 ^ N.of_nat k)%num, t = (put_word k n).1 & b = (put_word k n).2 ++ r].
Proof.
elim: k t b n r => [|k IH] t b n r /=; first by case: N.eqb_spec => // -> [<- <-].
have pw : (256 ^ N.of_nat k.+1 = 256 * 256 ^ N.of_nat k)%num by rewrite Nnat.Nat2N.inj_succ N.pow_succ_r'.
case O: (N.odd t).
  case: b => // x b; case: N.ltb_spec => //= x0; case: N.ltb_spec => //= x1.
  case E: (get_word k (t / 2) b) => [[y r']|] // [<- <-]; have [lt Et Eb] := IH _ _ _ _ E.
  rewrite -(N.div_unique (256 * y + x) 256 y x) // -(N.mod_unique (256 * y + x) 256 y x) //.
  case P: (put_word k y) Et Eb => [t' bs] /= Et Eb; case: N.eqb_spec => [h|_]; first by exfalso; lia.
  split=> /=; [by rewrite pw; lia | | by rewrite Eb].
  have [h Eh] : exists h, t = (2 * h + 1)%num by apply/N.odd_spec.
  by rewrite -Et Eh half_odd.
case E: (get_word k (t / 2) b) => [[y r']|] // [<- <-]; have [lt Et Eb] := IH _ _ _ _ E.
have e : (256 * y = 256 * y + 0)%num by lia.
rewrite -(N.div_unique (256 * y) 256 y 0) // -(N.mod_unique (256 * y) 256 y 0) //.
case P: (put_word k y) Et Eb => [t' bs] /= Et Eb.
split=> /=; [by rewrite pw; lia | | by rewrite Eb].
have [h Eh] : exists h, t = (2 * h)%num by apply/N.even_spec; rewrite -N.negb_odd O.
by rewrite -Et Eh half_even.
Qed.

Definition word_ok (n : N) := (n <? 2 ^ 64)%num.
Definition enc_word (n : N) : bytes := let: (t, bs) := put_word 8 n in t :: bs.
Definition dec_word (b : bytes) := if b is t :: b' then get_word 8 t b' else None.

Lemma word_encK n r : word_ok n -> dec_word (enc_word n ++ r) = Some (n, r).
Proof.
move/N.ltb_lt => lt; have := @put_wordK 8 n r lt; rewrite /enc_word.
by case: (put_word 8 n).
Qed.

Lemma word_decK b n r : dec_word b = Some (n, r) -> word_ok n /\ b = enc_word n ++ r.
Proof.
case: b => // t b /get_wordK [lt -> ->]; split; first by apply/N.ltb_lt.
by rewrite /enc_word; case: (put_word 8 n).
Qed.

Definition word : codec N := Codec word_encK word_decK.

(* ** Words of the add lane: zigzag first, so that small negative numbers are short *)

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

Definition enc_add n := enc_word (zigzag n).
Definition dec_add b := if dec_word b is Some (n, r) then Some (zagzig n, r) else None.

Lemma add_encK n r : word_ok n -> dec_add (enc_add n ++ r) = Some (n, r).
Proof. by move=> okn; rewrite /dec_add word_encK ?zigzag_ok // zigzagK. Qed.

Lemma add_decK b n r : dec_add b = Some (n, r) -> word_ok n /\ b = enc_add n ++ r.
Proof.
rewrite /dec_add; case E: (dec_word b) => [[m r']|] // [<- <-]; have [okm ->] := word_decK E.
by have [okz Ez] := zagzig_ok okm; rewrite /enc_add Ez.
Qed.

Definition add_word : codec N := Codec add_encK add_decK.

(* The word of a lane. *)
Inductive kind := Xor | Add.
Definition word_of (k : kind) : codec N := if k is Add then add_word else word.

Lemma word_of_ok k n : ok (word_of k) n = word_ok n.
Proof. by case: k. Qed.

(* ** Runs of words that are not zero. `kinds` says of what lane the word at each position is. *)

Section Row.
Variable kinds : nat -> kind.
(* Words in a row at most; any limit that a varint can say. *)
Variable words_max : nat.
Hypothesis words_maxP : (N.of_nat words_max.*2.+1 < varint_max)%num.

Definition nonzero (n : N) := word_ok n && ~~ (n =? 0)%num.

Fixpoint enc_words (p : nat) (ws : seq N) : bytes :=
  if ws is w :: ws' then enc (word_of (kinds p)) w ++ enc_words p.+1 ws' else [::].

Fixpoint dec_words (p k : nat) (b : bytes) : option (seq N * bytes) :=
  if k is k'.+1 then
    if dec (word_of (kinds p)) b is Some (w, b') then
      if (w =? 0)%num then None
      else if dec_words p.+1 k' b' is Some (ws, r) then Some (w :: ws, r) else None
    else None
  else Some ([::], b).

Lemma words_encK p ws r : all nonzero ws -> dec_words p (size ws) (enc_words p ws ++ r) = Some (ws, r).
Proof.
elim: ws p => //= w ws IH p /andP [/andP [okw nz] a].
by rewrite -catA encK ?word_of_ok // (negbTE nz) IH.
Qed.

Lemma words_decK p k b ws r : dec_words p k b = Some (ws, r) ->
  [/\ all nonzero ws, size ws = k & b = enc_words p ws ++ r].
Proof.
elim: k p b ws r => [|k IH] p b ws r /=; first by case=> <- <-.
case E: (dec _ b) => [[w b']|] //; case: ifP => // nz.
case F: (dec_words p.+1 k b') => [[ws' r']|] // [<- <-].
have [okw ->] := decK E; have [a sz ->] := IH _ _ _ _ F.
by rewrite /= a sz catA /nonzero -(word_of_ok (kinds p)) okw nz.
Qed.

(* A run: how many zeros before it, and its words. *)
Definition run := (nat * seq N)%type.
Definition run_ok (q : run) := [&& q.1 <= words_max, 0 < size q.2 <= words_max & all nonzero q.2].

Definition enc_run p (q : run) (last : bool) : bytes :=
  enc varint (N.of_nat (q.1.*2 + last)) ++ enc varint (N.of_nat (size q.2)) ++ enc_words (p + q.1) q.2.

Definition small (n : N) := (n <=? N.of_nat words_max.*2.+1)%num.

Definition dec_run p (b : bytes) : option (run * bool * bytes) :=
  if dec varint b is Some (h, b1) then
    if small h then
      if dec varint b1 is Some (k, b2) then
        if small k then
          let g := (N.to_nat h)./2 in
          if [&& g <= words_max & 0 < N.to_nat k <= words_max] then
            if dec_words (p + g) (N.to_nat k) b2 is Some (ws, r) then Some ((g, ws), odd (N.to_nat h), r) else None
          else None
        else None
      else None
    else None
  else None.

Lemma small_nat k : k <= words_max.*2.+1 -> small (N.of_nat k) && ok varint (N.of_nat k).
Proof.
move/leP => le; apply/andP; split; first by apply/N.leb_le; lia.
by apply/N.ltb_lt; move: words_maxP; lia.
Qed.

Lemma run_encK p q last r : run_ok q -> dec_run p (enc_run p q last ++ r) = Some (q, last, r).
Proof.
case: q => g ws /and3P [/= g1 s1 a].
have /andP [s okh] : small (N.of_nat (g.*2 + last)) && ok varint (N.of_nat (g.*2 + last)).
  by apply: small_nat; rewrite -addn1; apply: leq_add; [rewrite leq_double | case: last].
have /andP [s' okk] : small (N.of_nat (size ws)) && ok varint (N.of_nat (size ws)).
  by apply: small_nat; case/andP: s1 => _ /leq_trans; apply; rewrite -addnn -addnS leq_addr.
rewrite /dec_run /enc_run -[(g, ws).1]/g -[(g, ws).2]/ws -!catA (encK _ okh) s (encK _ okk) s' !Nnat.Nat2N.id.
have -> : (g.*2 + last)./2 = g by rewrite addnC half_bit_double.
rewrite g1 s1 /= words_encK // oddD odd_double.
by case: last {s okh}.
Qed.

Lemma run_decK p b q last r : dec_run p b = Some (q, last, r) -> run_ok q /\ b = enc_run p q last ++ r.
Proof.
rewrite /dec_run; case E: (dec varint b) => [[h b1]|] //; case: ifP => // sh.
case F: (dec varint b1) => [[k b2]|] //; case: ifP => // sk; case: ifP => // /andP [g1 k1].
case G: (dec_words _ _ b2) => [[ws r']|] // [<- <- <-].
have [_ Eb] := decK E; have [_ Eb1] := decK F; have [a sz Eb2] := words_decK G.
rewrite /run_ok /= g1 sz k1 a; split=> //.
rewrite Eb Eb1 Eb2 /enc_run -!catA; congr (enc varint _ ++ (enc varint _ ++ _)).
  by rewrite /= addnC odd_double_half Nnat.N2Nat.id.
by rewrite /= sz Nnat.N2Nat.id.
Qed.

(* The runs of a row: no two touch, so there is one way to write a row. *)
Definition gaps_ok (qs : seq run) := all (fun q : run => 0 < q.1) (behead qs).
Definition runs_ok (qs : seq run) := [&& 0 < size qs, all run_ok qs & gaps_ok qs].

Fixpoint enc_runs p (qs : seq run) : bytes :=
  if qs is q :: qs' then enc_run p q (nilp qs') ++ enc_runs (p + q.1 + size q.2) qs' else [::].

Fixpoint dec_runs (f : nat) p (first : bool) (b : bytes) : option (seq run * bytes) :=
  if f is f'.+1 then
    if dec_run p b is Some (q, last, b') then
      if ~~ first && (q.1 == 0) then None
      else if last then Some ([:: q], b')
      else if dec_runs f' (p + q.1 + size q.2) false b' is Some (qs, r) then Some (q :: qs, r) else None
    else None
  else None.

Lemma runs_fuel f p first qs r : size qs <= f -> 0 < size qs -> all run_ok qs ->
  (if first then gaps_ok qs else all (fun q : run => 0 < q.1) qs) ->
  dec_runs f p first (enc_runs p qs ++ r) = Some (qs, r).
Proof.
elim: f p first qs => [|f IH] p first [|q qs] //= le _ /andP [okq a] gs.
rewrite -catA run_encK //.
have -> : ~~ first && (q.1 == 0) = false.
  by case: first gs => //= /andP [g0 _]; rewrite eqn0Ngt g0.
case: qs le a gs => [|q' qs] le a gs; first by [].
rewrite -[nilp _]/false IH //.
by case: first gs => [|/andP []].
Qed.

Lemma runs_size p qs : size qs <= size (enc_runs p qs).
Proof.
elim: qs p => //= q qs IH p; rewrite size_cat -add1n; apply: leq_add; last exact: IH.
rewrite /enc_run size_cat; apply: ltn_addr.
by rewrite /= /put_varint; case: ifP.
Qed.

Definition dec_row b := dec_runs (size b) 0 true b.

Lemma runs_encK qs r : runs_ok qs -> dec_row (enc_runs 0 qs ++ r) = Some (qs, r).
Proof.
case/and3P => n a g; apply: runs_fuel => //.
by rewrite size_cat; apply: leq_trans (runs_size 0 qs) (leq_addr _ _).
Qed.

Lemma runs_decode f p first b qs r : dec_runs f p first b = Some (qs, r) ->
  [/\ 0 < size qs, all run_ok qs, (if first then gaps_ok qs else all (fun q : run => 0 < q.1) qs)
    & b = enc_runs p qs ++ r].
Proof.
elim: f p first b qs r => [|f IH] p first b qs r //=.
case E: (dec_run p b) => [[[q last] b']|] //; have [okq Eb] := run_decK E.
case: ifP => // gf; have g : first || (0 < q.1) by move: gf; case: first => //=; rewrite lt0n => ->.
case: last E Eb => E Eb; first by case=> <- <-; rewrite /= okq cats0; split=> //; case: first g {gf} => //= ->.
case F: (dec_runs _ _ _ b') => [[qs' r']|] // [<- <-]; have [n a gs Eb'] := IH _ _ _ _ _ F.
rewrite /= okq a; split=> //; first by case: first g {gf} => //= ->.
by rewrite Eb Eb' -catA; case: qs' n {F Eb' a gs}.
Qed.

Lemma runs_decK b qs r : dec_row b = Some (qs, r) -> runs_ok qs /\ b = enc_runs 0 qs ++ r.
Proof. by case/runs_decode => n a g E; rewrite /runs_ok n a. Qed.

Definition runs : codec (seq run) := Codec runs_encK runs_decK.

End Row.

(* ** A row as its words, and its runs *)

Definition of_runs (qs : seq run) : seq N := flatten [seq nseq q.1 0%num ++ q.2 | q <- qs].

Fixpoint to_runs (g : nat) (ws : seq N) : seq run :=
  if ws is w :: ws' then
    if (w =? 0)%num then to_runs g.+1 ws'
    else if to_runs 0 ws' is (0, vs) :: qs then (g, w :: vs) :: qs else (g, [:: w]) :: to_runs 0 ws'
  else [::].

(* Words after the last that is not zero are not written: a row ends there. *)
Definition trimmed (ws : seq N) := ~~ (last 1%num ws =? 0)%num.

Lemma trimmed_cons w ws : trimmed (w :: ws) -> ws <> [::] -> trimmed ws.
Proof. by case: ws. Qed.

Theorem to_runsK g ws : trimmed ws -> ws <> [::] -> of_runs (to_runs g ws) = nseq g 0%num ++ ws.
Proof.
elim: ws g => // w ws IH g tr _ /=; case: N.eqb_spec => [w0|wn].
  have ne: ws <> [::] by move=> e; move: tr; rewrite e w0.
  rewrite IH ?(trimmed_cons tr) // w0 -cat_rcons; congr (_ ++ _).
  by elim: g {IH} => //= g ->.
case: (ws =P [::]) => [->|/eqP/eqP ne]; first by rewrite /of_runs /= cats0.
have := IH 0 (trimmed_cons tr ne) ne; case: (to_runs 0 ws) => [|[[|k] vs] qs] /=.
- by move=> e; case: ne.
- by rewrite /of_runs /= => <-; rewrite -catA.
- by rewrite /of_runs /= => <-; rewrite -catA.
Qed.

Lemma to_runs_gap g k ws : to_runs g (nseq k 0%num ++ ws) = to_runs (g + k) ws.
Proof. by elim: k g => [|k IH] g; rewrite ?addn0 //= IH addSnnS. Qed.

Lemma to_runs_words g vs ws : all (fun w => ~~ (w =? 0)%num) vs -> 0 < size vs ->
  (if to_runs 0 ws is (0, _) :: _ then false else true) -> to_runs g (vs ++ ws) = (g, vs) :: to_runs 0 ws.
Proof.
elim: vs g => // v vs IH g /= /andP [nv a] _ gap; rewrite (negbTE nv).
case: vs IH a => [|v' vs] IH a; first by move: gap; case: (to_runs 0 ws) => [|[[|k] us] qs].
by rewrite IH.
Qed.

Theorem of_runsK words_max qs : runs_ok words_max qs -> to_runs 0 (of_runs qs) = qs.
Proof.
case/and3P => _ a; rewrite /gaps_ok; case: qs a => //= q qs /andP [okq a] g.
elim: qs q okq a g => [|q' qs IH] q okq a g.
  case: q okq => k vs /and3P [/= _ s nz]; rewrite /of_runs /= cats0 to_runs_gap.
  rewrite -[vs]cats0 to_runs_words ?cats0 ?add0n //; last by case/andP: s.
  by apply: sub_all nz => w /andP [].
case/andP: a => okq' a; case/andP: g => g' g; have E := IH q' okq' a g.
case: q okq => k vs /and3P [/= _ s nz]; have -> : of_runs ((k, vs) :: q' :: qs) = nseq k 0%num ++ vs ++ of_runs (q' :: qs).
  by rewrite /of_runs /= -catA.
rewrite to_runs_gap to_runs_words ?E ?add0n //; first by apply: sub_all nz => w /andP [].
  by case/andP: s.
by case: q' g' {E okq'} => [[|]].
Qed.

(* ** Lists by ascending number, coded by the gaps: rows of a table, tables of a delta *)

Section Ascending.
Variables (T : Type) (c : codec T) (scale : N).
Hypothesis scale_pos : (0 < scale <= 2)%num.

Definition item := (N * T)%type.
Definition count_max : N := 2 ^ 22.

(* Numbers strictly ascend, from `p` on. *)
Fixpoint ascending (p : N) (xs : seq item) : bool :=
  if xs is x :: xs' then
    [&& (p <=? x.1)%num, (x.1 - p <? varint_max)%num, ok c x.2 & ascending (x.1 + 1) xs'] else true.

Fixpoint enc_items (p : N) (xs : seq item) : bytes :=
  if xs is x :: xs' then enc varint (x.1 - p)%num ++ enc c x.2 ++ enc_items (x.1 + 1) xs' else [::].

Fixpoint dec_items (k : nat) (p : N) (b : bytes) : option (seq item * bytes) :=
  if k is k'.+1 then
    if dec varint b is Some (g, b1) then
      if dec c b1 is Some (y, b2) then
        if dec_items k' (p + g + 1) b2 is Some (xs, r) then Some (((p + g)%num, y) :: xs, r) else None
      else None
    else None
  else Some ([::], b).

Definition list_ok (xs : seq item) := (N.of_nat (size xs) <=? count_max)%num && ascending 0 xs.
Definition enc_list (xs : seq item) := enc varint (scale * N.of_nat (size xs))%num ++ enc_items 0 xs.
Definition dec_list (b : bytes) : option (seq item * bytes) :=
  if dec varint b is Some (h, b1) then
    if (h mod scale =? 0)%num && (h / scale <=? count_max)%num then dec_items (N.to_nat (h / scale)) 0 b1 else None
  else None.

Lemma items_encK p xs r : ascending p xs -> dec_items (size xs) p (enc_items p xs ++ r) = Some (xs, r).
Proof.
elim: xs p => //= -[n y] xs IH p /= /and4P [/N.leb_le le lt oky a].
rewrite -!catA varint_encK // encK //.
have -> : (p + (n - p) = n)%num by lia.
by rewrite IH.
Qed.

Lemma items_decK k p b xs r : dec_items k p b = Some (xs, r) ->
  [/\ ascending p xs, size xs = k & b = enc_items p xs ++ r].
Proof.
elim: k p b xs r => [|k IH] p b xs r /=; first by case=> <- <-.
case E: (get_varint 7 b) => [[g b1]|] //; case F: (dec c b1) => [[y b2]|] //.
case G: (dec_items k _ b2) => [[xs' r']|] // [<- <-]; have [okg ->] := varint_decK E.
have [oky ->] := decK F; have [a sz ->] := IH _ _ _ _ G.
have e : (p + g - p = g)%num by lia.
rewrite /= e a oky sz okg -!catA; split=> //.
by have /N.leb_le -> : (p <= p + g)%num by lia.
Qed.

Lemma count_ok k : (k <=? count_max)%num -> (scale * k <? varint_max)%num.
Proof.
move/N.leb_le; rewrite /count_max /varint_max.
change (2 ^ 22)%num with 4194304%num; change (2 ^ 56)%num with 72057594037927936%num => le.
apply/N.ltb_lt; apply: (@N.le_lt_trans _ (2 * k)%num); last by lia.
by apply: N.mul_le_mono_r; case: scale_pos.
Qed.

Lemma list_encK xs r : list_ok xs -> dec_list (enc_list xs ++ r) = Some (xs, r).
Proof.
case/andP => sz a; rewrite /dec_list /enc_list -catA (@encK _ varint); last exact: count_ok.
have s0 : scale <> 0%num by case: scale_pos; lia.
by rewrite N.mul_comm N.mod_mul // N.div_mul // sz Nnat.Nat2N.id /= items_encK.
Qed.

Lemma list_decK b xs r : dec_list b = Some (xs, r) -> list_ok xs /\ b = enc_list xs ++ r.
Proof.
rewrite /dec_list; case E: (dec varint b) => [[h b1]|] //; case: ifP => // /andP [/N.eqb_eq m0 le].
have s0 : scale <> 0%num by case: scale_pos; lia.
move/items_decK => [a sz Eb]; have [_ ->] := decK E.
rewrite /list_ok /enc_list a sz Nnat.N2Nat.id le Eb -catA; split=> //; congr (enc varint _ ++ _).
by rewrite {1}(N.div_mod h scale s0) m0 N.add_0_r.
Qed.

Definition by_number : codec (seq item) := Codec list_encK list_decK.

End Ascending.

(* ** A delta of numbered rows: tables ascend, rows ascend, runs ascend *)

Section Delta.
Variables (kinds : nat -> kind) (words_max : nat).
Hypothesis words_maxP : (N.of_nat words_max.*2.+1 < varint_max)%num.

Lemma one_scale : (0 < 1 <= 2)%num. Proof. by []. Qed.
Lemma two_scale : (0 < 2 <= 2)%num. Proof. by []. Qed.

Definition row := runs kinds words_maxP.
Definition table := by_number row two_scale.
Definition delta := by_number table one_scale.

(* The four sentences of the issue, for a whole delta. *)
Theorem delta_round_trip d : ok delta d -> decode delta (enc delta d) = Some d.
Proof. exact: decode_encode. Qed.

Theorem delta_canonical d e : ok delta d -> ok delta e -> (enc delta d = enc delta e <-> d = e).
Proof. exact: encode_canonical. Qed.

Theorem delta_only_canonical b d : decode delta b = Some d -> enc delta d = b.
Proof. exact: decode_canonical. Qed.

Theorem delta_truncation_refused d p q : ok delta d -> enc delta d = p ++ q -> q <> [::] -> decode delta p = None.
Proof. exact: truncation_refused. Qed.

End Delta.
