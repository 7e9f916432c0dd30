(* Lanes: what a word accumulates with.

   A lane is a commutative monoid on words; a group lane has inverses (xor, add), a lattice lane is
   idempotent (max). Words are numbers below 2^n, and every theorem here holds for every width n.
   Convergence needs only the commutative monoid; undo needs the group; re-delivery without harm
   needs the lattice. Later files take a lane as parameter, so they hold for all three at once. *)
From Coq Require Import NArith Lia.
From mathcomp Require Import all_ssreflect.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

(* ** The structures *)

Record lane := Lane {
  word :> eqType;
  accum : word -> word -> word;
  rest : word;
  accumA : associative accum;
  accumC : commutative accum;
  accum0w : left_id rest accum }.

Arguments rest {l}.
Notation "x ⊙ y" := (accum x y) (at level 50, left associativity).

Lemma accumw0 (L : lane) : right_id (@rest L) (@accum L).
Proof. by move=> x; rewrite accumC accum0w. Qed.

Canonical lane_monoid (L : lane) := Monoid.Law (@accumA L) (@accum0w L) (@accumw0 L).
Canonical lane_comoid (L : lane) := Monoid.ComLaw (@accumC L).

Lemma accumCA (L : lane) : left_commutative (@accum L).
Proof. exact: Monoid.mulmCA. Qed.

Lemma accumAC (L : lane) : right_commutative (@accum L).
Proof. exact: Monoid.mulmAC. Qed.

Record group (L : lane) := Group {
  inverse : L -> L;
  accumVw : left_inverse rest inverse (@accum L) }.

Definition lattice (L : lane) := idempotent (@accum L).

(* ** What a group lane gives *)

Section GroupTheory.
Variables (L : lane) (G : group L).
Implicit Types x y d : L.
Notation inv := (inverse G).

Theorem accumwV : right_inverse rest inv (@accum L).
Proof. by move=> x; rewrite accumC accumVw. Qed.

Theorem accumK d x : x ⊙ d ⊙ inv d = x.
Proof. by rewrite -accumA accumwV accumw0. Qed.

Theorem accumKV d x : x ⊙ inv d ⊙ d = x.
Proof. by rewrite -accumA accumVw accumw0. Qed.

Theorem accum_cancel x y d : x ⊙ d = y ⊙ d -> x = y.
Proof. by move=> E; rewrite -(accumK d x) E accumK. Qed.

Theorem accum_cancel_l x y d : d ⊙ x = d ⊙ y -> x = y.
Proof. by rewrite ![d ⊙ _]accumC; apply: accum_cancel. Qed.

(* Between any two states there is a delta, and only one. *)
Theorem delta_exists x y : x ⊙ (inv x ⊙ y) = y.
Proof. by rewrite accumA accumwV accum0w. Qed.

Theorem delta_unique x y d : x ⊙ d = y -> d = inv x ⊙ y.
Proof. by move=> <-; rewrite accumA accumVw accum0w. Qed.

Theorem inverse_unique x y : x ⊙ y = rest -> y = inv x.
Proof. by move/delta_unique=> ->; rewrite accumw0. Qed.

Theorem inverseK : involutive inv.
Proof. by move=> x; symmetry; apply: inverse_unique; exact: accumVw. Qed.

Theorem inverse_rest : inv rest = rest.
Proof. by symmetry; apply: inverse_unique; rewrite accum0w. Qed.

Theorem inverse_accum x y : inv (x ⊙ y) = inv x ⊙ inv y.
Proof.
symmetry; apply: inverse_unique.
by rewrite [inv x ⊙ _]accumC accumA accumK accumwV.
Qed.

(* A group lane is never idempotent, save on the identity: a repeat always shows unless it is empty. *)
Theorem repeat_harmless d : d ⊙ d = d -> d = rest.
Proof. by move=> E; apply: (@accum_cancel _ _ d); rewrite accum0w. Qed.

End GroupTheory.

(* ** What a lattice lane gives *)

Section LatticeTheory.
Variables (L : lane) (M : lattice L).
Implicit Types x y z : L.

Definition below x y := x ⊙ y == y.

Theorem below_refl : reflexive below.
Proof. by move=> x; rewrite /below M. Qed.

Theorem below_anti x y : below x y -> below y x -> x = y.
Proof. by move=> /eqP E /eqP; rewrite accumC E. Qed.

Theorem below_trans y x z : below x y -> below y z -> below x z.
Proof. by move=> /eqP E /eqP F; rewrite /below -F accumA E. Qed.

Theorem below_accum x y : below x (x ⊙ y).
Proof. by rewrite /below accumA M. Qed.

Theorem accum_least x y z : below x z -> below y z -> below (x ⊙ y) z.
Proof. by move=> /eqP E /eqP F; rewrite /below -accumA F E. Qed.

(* Why the max lane cannot undo: only the identity has an inverse. *)
Theorem lattice_no_inverse x y : x ⊙ y = rest -> x = rest.
Proof. by move=> E; move: (below_accum x y); rewrite E /below accumw0 => /eqP. Qed.

End LatticeTheory.

(* Both at once is the one-word lane: no lane undoes and also absorbs repeats. *)
Theorem group_lattice_trivial (L : lane) (G : group L) (M : lattice L) (x : L) : x = rest.
Proof. exact: (repeat_harmless G (M x)). Qed.

(* ** Words of n bits *)

Section Words.
Variable n : N.

Definition below2 (x : N) := N.ltb x (2 ^ n).

Record bits := Bits { value :> N; _ : below2 value }.

Canonical bits_subType := [subType for value].
Definition bits_eqMixin := [eqMixin of bits by <:].
Canonical bits_eqType := EqType bits bits_eqMixin.

Lemma bitsP (x : bits) : (value x < 2 ^ n)%num.
Proof. by apply/N.ltb_lt; case: x. Qed.

Lemma below2P x : (x < 2 ^ n)%num -> below2 x.
Proof. by move=> H; apply/N.ltb_lt. Qed.

Lemma pow2_gt0 : (0 < 2 ^ n)%num.
Proof. by apply/N.neq_0_lt_0/N.pow_nonzero. Qed.

Lemma below2_mod x : below2 (x mod 2 ^ n).
Proof. by apply/below2P/N.mod_lt; apply: N.pow_nonzero. Qed.

Lemma below2_0 : below2 0%num.
Proof. by apply/below2P; exact: pow2_gt0. Qed.

(* The word a number denotes at this width: what does not fit is cut, as registers do. *)
Definition trim (x : N) : bits := Bits (below2_mod x).

Definition zero : bits := Bits below2_0.

Lemma trimK (x : bits) : trim x = x.
Proof. by apply: val_inj; rewrite /= N.mod_small //; exact: bitsP. Qed.

Lemma trim_small x : (x < 2 ^ n)%num -> value (trim x) = x.
Proof. by move=> H; rewrite /= N.mod_small. Qed.

Lemma below2_bits x : (forall i, (n <= i)%num -> N.testbit x i = false) -> below2 x.
Proof.
move=> H; apply/below2P; case: (N.eq_dec x 0) => [->|nz]; first exact: pow2_gt0.
apply/N.log2_lt_pow2; first exact/N.neq_0_lt_0.
case: (N.lt_ge_cases (N.log2 x) n) => // /H; by rewrite N.bit_log2.
Qed.

Lemma bits_high (x : bits) i : (n <= i)%num -> N.testbit x i = false.
Proof.
move=> ni; case: (N.eq_dec x 0) => [->|nz]; first exact: N.bits_0.
apply: N.bits_above_log2; apply: N.lt_le_trans ni.
by apply/N.log2_lt_pow2; [exact/N.neq_0_lt_0 | exact: bitsP].
Qed.

(* xor: the elementary abelian group Z2^n. *)
Lemma below2_xor (x y : bits) : below2 (N.lxor x y).
Proof. by apply: below2_bits => i ni; rewrite N.lxor_spec !bits_high. Qed.

Definition bits_xor (x y : bits) : bits := Bits (below2_xor x y).

Lemma bits_xorA : associative bits_xor.
Proof. by move=> x y z; apply: val_inj => /=; rewrite N.lxor_assoc. Qed.

Lemma bits_xorC : commutative bits_xor.
Proof. by move=> x y; apply: val_inj => /=; rewrite N.lxor_comm. Qed.

Lemma bits_xor0 : left_id zero bits_xor.
Proof. by move=> x; apply: val_inj. Qed.

Lemma bits_xorN : left_inverse zero id bits_xor.
Proof. by move=> x; apply: val_inj; rewrite /= N.lxor_nilpotent. Qed.

Definition xor : lane := Lane bits_xorA bits_xorC bits_xor0.
Definition xor_group : group xor := @Group xor id bits_xorN.

(* add: the cyclic group Z/2^n. *)
Definition bits_add (x y : bits) : bits := trim (value x + value y).

Lemma bits_addA : associative bits_add.
Proof.
move=> x y z; apply: val_inj => /=.
by rewrite N.add_mod_idemp_r ?N.add_mod_idemp_l ?N.add_assoc //; apply: N.pow_nonzero.
Qed.

Lemma bits_addC : commutative bits_add.
Proof. by move=> x y; apply: val_inj; rewrite /= N.add_comm. Qed.

Lemma bits_add0 : left_id zero bits_add.
Proof. by move=> x; rewrite /bits_add N.add_0_l trimK. Qed.

Definition bits_opp (x : bits) : bits := trim (2 ^ n - value x).

Lemma bits_addN : left_inverse zero bits_opp bits_add.
Proof.
move=> x; apply: val_inj => /=; have lt := bitsP x.
rewrite N.add_mod_idemp_l; last exact: N.pow_nonzero.
by rewrite N.sub_add ?N.mod_same //; [apply: N.pow_nonzero | apply: N.lt_le_incl].
Qed.

Definition add : lane := Lane bits_addA bits_addC bits_add0.
Definition add_group : group add := @Group add bits_opp bits_addN.

(* max: the semilattice of an unsigned total order. *)
Lemma below2_max (x y : bits) : below2 (N.max x y).
Proof. by apply/below2P/N.max_lub_lt; exact: bitsP. Qed.

Definition bits_max (x y : bits) : bits := Bits (below2_max x y).

Lemma bits_maxA : associative bits_max.
Proof. by move=> x y z; apply: val_inj; rewrite /= N.max_assoc. Qed.

Lemma bits_maxC : commutative bits_max.
Proof. by move=> x y; apply: val_inj; rewrite /= N.max_comm. Qed.

Lemma bits_max0 : left_id zero bits_max.
Proof. by move=> x; apply: val_inj; exact: N.max_0_l. Qed.

Definition max : lane := Lane bits_maxA bits_maxC bits_max0.

Theorem max_lattice : lattice max.
Proof. by move=> x; apply: val_inj; rewrite /= N.max_id. Qed.

(* The order of the lattice is the order of numbers, and it is total. *)
Theorem max_below (x y : max) : @below max x y = N.leb (value x) (value y).
Proof.
apply/eqP/idP => [/(congr1 value) /= E | /N.leb_le le].
  by apply/N.leb_le; lia.
by apply: val_inj => /=; apply: N.max_r.
Qed.

Theorem max_total (x y : max) : @below max x y || @below max y x.
Proof.
rewrite !max_below; case: (N.leb_spec (value x) (value y)) => //= lt.
by apply/N.leb_le/N.lt_le_incl.
Qed.

Theorem max_either (x y : max) : x ⊙ y = x \/ x ⊙ y = y.
Proof.
case/orP: (max_total x y) => /eqP; first by right.
by rewrite accumC; left.
Qed.

(* Bit i of an xor word never looks at another bit: lanes of any width are banks of one-bit lanes. *)
Theorem xor_bitwise (x y : xor) i : N.testbit (value (x ⊙ y)) i = N.testbit (value x) i (+) N.testbit (value y) i.
Proof. by rewrite /= N.lxor_spec; do 2 case: N.testbit. Qed.

Lemma add_value (x y : add) : value (x ⊙ y) = ((value x + value y) mod 2 ^ n)%num.
Proof. by rewrite /accum. Qed.

End Words.

(* The xor delta between two states is their xor; the add delta is the difference, cut to the width. *)
Theorem xor_delta n (x y d : xor n) : x ⊙ d = y -> d = x ⊙ y.
Proof. by move/(delta_unique (xor_group n)). Qed.

Theorem add_delta n (x y d : add n) : x ⊙ d = y -> value d = ((2 ^ n - value x + value y) mod 2 ^ n)%num.
Proof.
move/(delta_unique (add_group n)) => -> /=.
by rewrite N.add_mod_idemp_l //; apply: N.pow_nonzero.
Qed.

Theorem xor_self_inverse n (x d : xor n) : x ⊙ d ⊙ d = x.
Proof. exact: (accumK (xor_group n)). Qed.

Theorem max_repeat n (x d : max n) : x ⊙ d ⊙ d = x ⊙ d.
Proof. by rewrite -accumA (max_lattice d). Qed.

(* Adding is xor exactly on one bit: from two bits on the lanes differ, so the lane is part of the meaning. *)
Theorem add_is_xor_bit (x y : bits 1) : bits_add x y = bits_xor x y.
Proof.
apply: val_inj; case: x y => [x xP] [y yP] /=; move: xP yP => /N.ltb_lt xP /N.ltb_lt yP.
have [->|->]: x = 0%num \/ x = 1%num by lia.
  by rewrite N.mod_small.
by have [->|->] : y = 0%num \/ y = 1%num by lia.
Qed.

Theorem add_is_not_xor n : (1 < n)%num -> exists x y : bits n, bits_add x y <> bits_xor x y.
Proof.
move=> lt; have two : (2 < 2 ^ n)%num.
  by rewrite -[X in (X < _)%num]/(2 ^ 1)%num; apply: N.pow_lt_mono_r.
exists (trim n 1), (trim n 1) => /(congr1 (@value n)) /=.
rewrite (N.mod_small 1); last by lia.
by rewrite N.mod_small // N.lxor_nilpotent.
Qed.
