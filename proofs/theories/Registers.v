(* Registers: a pair (stamp, value) under lexicographic order, accumulated by max.

   A register of s stamp bits and v value bits is a word of s + v bits, stamp first; its lane is `max`.
   Every replica that has seen the same sets shows the same, somebody's, value; equal stamps are decided by
   the value; a clock that runs ahead wins, and that is all it does. Flags are causal lengths. *)
From Coq Require Import NArith Lia.
From mathcomp Require Import all_ssreflect.
From ATOMiK Require Import Lanes Ledger Folds.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Section Register.
Variables (s v : N).
Notation register := (max (s + v)).
Implicit Types (x y : register) (xs : seq register).

Definition stamp x : N := (value x / 2 ^ v)%num.
Definition content x : N := (value x mod 2 ^ v)%num.

Lemma pow_v : (2 ^ v <> 0)%num. Proof. exact: N.pow_nonzero. Qed.

Lemma register_eq x : value x = (2 ^ v * stamp x + content x)%num.
Proof. exact: N.div_mod pow_v. Qed.

Theorem register_inj x y : stamp x = stamp y -> content x = content y -> x = y.
Proof. by move=> E F; apply: val_inj; rewrite /= register_eq (register_eq y) E F. Qed.

(* Lexicographic: the order of the word is the order of the pair. *)
Theorem register_order x y : (value x <= value y)%num <->
  (stamp x < stamp y)%num \/ stamp x = stamp y /\ (content x <= content y)%num.
Proof.
have lx : (content x < 2 ^ v)%num by apply: N.mod_lt pow_v.
have ly : (content y < 2 ^ v)%num by apply: N.mod_lt pow_v.
rewrite (register_eq x) (register_eq y).
move: (stamp x) (stamp y) (content x) (content y) (2 ^ v)%num lx ly => a b c d w lx ly; split; last first.
  case=> [lt|[-> le]]; last by lia.
  have le : (w * (a + 1) <= w * b)%num by apply: N.mul_le_mono_l; lia.
  by nia.
move=> le; case: (N.lt_trichotomy a b) => [|[E|gt]]; [by left | by right; split=> //; subst a; lia |].
exfalso; have le' : (w * (b + 1) <= w * a)%num by apply: N.mul_le_mono_l; lia.
by nia.
Qed.

(* The later stamp wins, whatever the values. *)
Theorem later_wins x y : (stamp x < stamp y)%num -> x ⊙ y = y.
Proof.
move=> lt; apply/eqP; change (@below register x y); rewrite max_below.
by apply/N.leb_le/register_order; left.
Qed.

(* A tie is decided by the value, on every replica in the same way. *)
Theorem tie_by_value x y : stamp x = stamp y -> (content x <= content y)%num -> x ⊙ y = y.
Proof.
move=> E le; apply/eqP; change (@below register x y); rewrite max_below.
by apply/N.leb_le/register_order; right.
Qed.

(* Never a mixture: what comes out is one of what went in. *)
Theorem set_pair x y : x ⊙ y = x \/ x ⊙ y = y.
Proof. exact: max_either. Qed.

Theorem fold_is_written xs : xs <> [::] -> fold xs \in xs.
Proof.
elim: xs => // x xs IH _; rewrite fold_cons; case: (xs =P [::]) => [->|ne].
  by rewrite fold0 accumw0 inE.
by case: (set_pair x (fold xs)) => ->; rewrite inE ?eqxx ?IH ?orbT.
Qed.

(* Concurrent sets in any order, with repeats, on any replica: the same value, and a written one. *)
Theorem sets_converge xs ys : xs =i ys -> xs <> [::] -> fold xs = fold ys /\ fold xs \in xs.
Proof.
move=> e ne; split; last exact: fold_is_written.
rewrite -(fold_undup xs (@max_lattice _)) -(fold_undup ys (@max_lattice _)).
by apply: fold_perm; apply: uniq_perm; rewrite ?undup_uniq // => z; rewrite !mem_undup.
Qed.

(* The winner bears the greatest stamp of all. *)
Theorem winner_is_latest xs x : x \in xs -> (stamp x <= stamp (fold xs))%num.
Proof.
move=> xin; have le : (value x <= value (fold xs))%num.
  elim: xs xin => // y xs IH; rewrite inE fold_cons /accum /= => /orP [/eqP ->|/IH le]; first exact: N.le_max_l.
  by apply: N.le_trans le _; exact: N.le_max_r.
by case/register_order: le => [|[-> _]]; [exact: N.lt_le_incl | exact: N.le_refl].
Qed.

(* Clocks: each replica stamps with its own, no further than `skew` from the true time. Who wins may depend on
   the skew, but a set made more than twice the skew after another is never overruled by it. *)
Theorem skew_bounded x y tx ty skew : (tx <= stamp x + skew)%num -> (stamp x <= tx + skew)%num ->
  (ty <= stamp y + skew)%num -> (stamp y <= ty + skew)%num -> (tx + 2 * skew < ty)%num -> x ⊙ y = y.
Proof. by move=> _ hx hy _ far; apply: later_wins; lia. Qed.

(* And a clock that is wrong by any amount still leaves every replica with one value that somebody wrote. *)
Theorem skew_only_who_wins xs ys (f : register -> register) :
  (forall x, content (f x) = content x) -> xs =i ys -> xs <> [::] ->
  fold [seq f x | x <- xs] = fold [seq f x | x <- ys] /\
  exists2 x, x \in xs & content (fold [seq f x | x <- xs]) = content x.
Proof.
move=> keep e ne; have [E /mapP [x xin Ex]] := @sets_converge [seq f x | x <- xs] [seq f x | x <- ys]
  (eq_mem_map f e) (fun n => ne (size0nil (etrans (esym (size_map f xs)) (congr1 size n)))).
by split=> //; exists x; rewrite // Ex keep.
Qed.

(* A hybrid clock that is ahead of every stamp it saw writes what wins over all it saw. *)
Theorem set_after_seen xs x : (forall y, y \in xs -> (stamp y < stamp x)%num) -> fold xs ⊙ x = x.
Proof.
elim: xs => [|y xs IH] lt; first by rewrite fold0 accum0w.
rewrite fold_cons -accumA IH; last by move=> z zx; apply: lt; rewrite inE zx orbT.
by apply: later_wins; apply: lt; rewrite inE eqxx.
Qed.

End Register.

(* ** Flags: a causal length, odd when set *)

Section Flag.
Variable n : N.
Notation flag := (max n).
Implicit Types x y : flag.

Definition on x := N.odd (value x).
Definition next x := (value x + 1)%num.

(* A change of a flag is one step up, and it wins over what its author saw. *)
Theorem flag_step x y : value y = next x -> x ⊙ y = y /\ on y = ~~ on x.
Proof.
rewrite /next /on => E; split; last by rewrite E N.add_1_r N.odd_succ -N.negb_odd.
by apply: val_inj; rewrite /= E; lia.
Qed.

(* Two replicas that turn the same flag at once agree, and both changes count as one. *)
Theorem flag_concurrent x y z : value y = next x -> value z = next x -> y ⊙ z = y.
Proof. by move=> Ey Ez; apply: val_inj; rewrite /= Ey Ez; lia. Qed.

End Flag.
