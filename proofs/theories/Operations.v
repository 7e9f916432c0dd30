(* LOAD, ACCUM, READ, SWAP: on a word, on banks, on tables, on records of mixed lanes. *)
From mathcomp Require Import all_ssreflect.
From ATOMiK Require Import Lanes Ledger Folds.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

(* ** One context *)

Section Context.
Variable L : lane.
Implicit Types (v d : L) (ds : seq L).

Record context := Context { base : L; acc : L }.
Implicit Types x : context.

Definition load v := Context v rest.
Definition accumulate x d := Context (base x) (acc x ⊙ d).
Definition read x := base x ⊙ acc x.
(* What the caller gets, and what stays: the state, or the value given. *)
Definition swap x (v : option L) := (read x, Context (if v is Some v' then v' else read x) rest).
Definition accumulates x ds := foldl accumulate x ds.

Theorem read_load v : read (load v) = v.
Proof. exact: accumw0. Qed.

Theorem read_accum x d : read (accumulate x d) = read x ⊙ d.
Proof. exact: accumA. Qed.

Theorem read_accums x ds : read (accumulates x ds) = run (read x) ds.
Proof. by elim: ds x => //= d ds IH x; rewrite IH read_accum. Qed.

Theorem read_swap_keep x : read (swap x None).2 = read x.
Proof. exact: accumw0. Qed.

Theorem read_swap_value x v : read (swap x (Some v)).2 = v.
Proof. exact: accumw0. Qed.

(* SWAP with a keep leaves every later READ what it would have been without. *)
Theorem swap_invisible x ds : read (accumulates (swap x None).2 ds) = read (accumulates x ds).
Proof. by rewrite !read_accums read_swap_keep. Qed.

(* LOAD forgets all before it. *)
Theorem load_forgets x ds v es : read (accumulates (load v) es) = run v es /\
  read (accumulates (swap (accumulates x ds) (Some v)).2 es) = run v es.
Proof. by rewrite !read_accums !read_load. Qed.

(* The accumulator alone is the delta since the last LOAD or SWAP. *)
Theorem acc_since_swap x ds : acc (accumulates (swap x None).2 ds) = fold ds.
Proof.
suff G y : acc (accumulates y ds) = acc y ⊙ fold ds by rewrite G accum0w.
elim: ds y => [|d ds IH] y /=; first by rewrite fold0 accumw0.
by rewrite IH fold_cons accumA.
Qed.

(* Two contexts with one reference merge by folding their accumulators: as if one had taken both lists. *)
Definition merge x y := Context (base x) (acc x ⊙ acc y).

Theorem read_merge x ds es :
  read (merge (accumulates x ds) (accumulates (Context (base x) rest) es)) = run (read x) (ds ++ es).
Proof.
have A y fs : acc (accumulates y fs) = acc y ⊙ fold fs /\ base (accumulates y fs) = base y.
  elim: fs y => [|f fs IH] y /=; first by rewrite fold0 accumw0.
  by have [-> ->] := IH (accumulate y f); rewrite fold_cons accumA.
have [Ed Bd] := A x ds; have [Ee _] := A (Context (base x) rest) es.
by rewrite /read /merge /= Ed Bd Ee accum0w run_fold fold_cat !accumA.
Qed.

(* ** SWAP atomic with ACCUM: threads interleave in any way, each operation in one step *)

Inductive operation := Accum of L | Swap of option L | Load of L.

Definition apply x o := match o with
  | Accum d => accumulate x d | Swap v => (swap x v).2 | Load v => load v end.
Definition returned x o := if o is Swap v then Some (swap x v).1 else None.
Definition execute x (os : seq operation) := foldl apply x os.
Definition amount o := if o is Accum d then d else rest.
Definition keeps o := match o with Accum _ | Swap None => true | _ => false end.

(* However ACCUMs and keeping SWAPs interleave, the last READ is the fold of all that was accumulated. *)
Theorem interleaving_total x os : all keeps os -> read (execute x os) = read x ⊙ fold [seq amount o | o <- os].
Proof.
elim: os x => [|o os IH] x /=; first by rewrite fold0 accumw0.
case/andP => k a; rewrite IH // fold_cons accumA; congr (_ ⊙ _).
by case: o k => [d|[v|]|v] //= _; rewrite ?read_accum ?read_swap_keep ?accumw0.
Qed.

Theorem interleaving_any x os ps : all keeps os -> all keeps ps ->
  perm_eq [seq amount o | o <- os] [seq amount o | o <- ps] -> read (execute x os) = read (execute x ps).
Proof. by move=> ko kp /fold_perm p; rewrite !interleaving_total // p. Qed.

(* Drains: SWAPs that leave the identity behind. What they return, together with what is left, is everything
   accumulated, each delta once, wherever the SWAPs fall between the ACCUMs. *)
Definition drains o := match o with Accum _ => true | Swap (Some v) => v == rest | _ => false end.
Fixpoint drained x os : L := if os is o :: os' then
  (if returned x o is Some v then v else rest) ⊙ drained (apply x o) os' else rest.

Theorem drain_total x os : all drains os ->
  drained x os ⊙ read (execute x os) = read x ⊙ fold [seq amount o | o <- os].
Proof.
elim: os x => [|o os IH] x /=; first by rewrite fold0 accum0w accumw0.
case/andP => k a; rewrite -accumA IH // fold_cons.
case: o k => [d|[v|]|v] //= k; first by rewrite accum0w read_accum -accumA.
by rewrite /read /= (eqP k) accumw0 !accum0w.
Qed.

(* A bank that splits SWAP in two, a read and later a clear, loses what comes between. *)
Definition torn_swap x d := let v := read x in (v, Context v rest, accumulate x d).
Theorem torn_swap_loses x d : d <> rest -> group L ->
  read (Context (read x) rest) <> read (swap (accumulate x d) None).2.
Proof.
move=> nd G; rewrite read_swap_keep read_accum /read accumw0 -{1}[base x ⊙ acc x]accumw0 => E; apply: nd.
by symmetry; apply: (accum_cancel_l G E).
Qed.

(* ** Banks: one reference, an accumulator in each of several banks *)

Record banked (B : finType) := Banked { bref : L; banks : {ffun B -> L} }.
Definition bread B (x : banked B) := bref x ⊙ \big[@accum L/rest]_(k : B) banks x k.
Definition baccum B (x : banked B) k d :=
  Banked (bref x) [ffun k' => if k' == k then banks x k' ⊙ d else banks x k'].
Definition bswap B (x : banked B) := Banked (B := B) (bread x) [ffun => rest].

Theorem bank_accum B (x : banked B) k d : bread (baccum x k d) = bread x ⊙ d.
Proof.
rewrite /bread /= -accumA; congr (_ ⊙ _).
rewrite (bigD1 k) //= ffunE eqxx [in RHS](bigD1 k) //= -!accumA; congr (_ ⊙ _).
rewrite accumC; congr (_ ⊙ _); apply: eq_bigr => k' /negbTE ne.
by rewrite ffunE ne.
Qed.

Theorem bank_choice_irrelevant B (x : banked B) k k' d : bread (baccum x k d) = bread (baccum x k' d).
Proof. by rewrite !bank_accum. Qed.

Theorem bank_swap B (x : banked B) : bread (bswap x) = bread x.
Proof.
rewrite {1}/bread /= big1 ?accumw0 // => k _.
by rewrite ffunE.
Qed.

(* A banked context is a context: the number of banks shows nowhere. *)
Theorem banked_is_context B (x : banked B) (ops : seq (B * L)) c : read c = bread x ->
  bread (foldl (fun y o => baccum y o.1 o.2) x ops) = read (accumulates c [seq o.2 | o <- ops]).
Proof.
elim: ops x c => //= o ops IH x c E; apply: IH.
by rewrite read_accum bank_accum E.
Qed.

End Context.

(* ** Tables and records: each address has its own lane *)

Section Table.
Variables (A : finType) (lane_of : A -> lane).

Definition row := {dffun forall a, lane_of a}.
Definition row_accum (x y : row) : row := [ffun a => x a ⊙ y a].
Definition row_rest : row := [ffun a => rest].

Lemma row_accumA : associative row_accum.
Proof. by move=> x y z; apply/ffunP => a; rewrite !ffunE accumA. Qed.
Lemma row_accumC : commutative row_accum.
Proof. by move=> x y; apply/ffunP => a; rewrite !ffunE accumC. Qed.
Lemma row_accum0 : left_id row_rest row_accum.
Proof. by move=> x; apply/ffunP => a; rewrite !ffunE accum0w. Qed.

(* A record of mixed lanes, or a table of contexts, is again a lane: all theorems on lanes hold for it. *)
Definition record : lane := Lane row_accumA row_accumC row_accum0.

Theorem record_accum (x y : record) a : (x ⊙ y : row) a = x a ⊙ y a.
Proof. exact: ffunE. Qed.

Theorem record_fold (ds : seq record) a : (fold ds : row) a = fold [seq (d : row) a | d <- ds].
Proof.
elim: ds => [|d ds IH] /=; first by rewrite !fold0 ffunE.
by rewrite !fold_cons record_accum IH.
Qed.

Theorem record_group : (forall a, group (lane_of a)) -> group record.
Proof.
move=> G; exists (fun x : record => [ffun a => inverse (G a) ((x : row) a)] : record) => x.
by apply/ffunP => a; rewrite !ffunE accumVw.
Qed.

Theorem record_lattice : (forall a, lattice (lane_of a)) -> lattice record.
Proof. by move=> M x; apply/ffunP => a; rewrite ffunE M. Qed.

(* A delta at one address. *)
Definition at_ a (d : lane_of a) : record :=
  [ffun b => if a =P b is ReflectT e then ecast b (lane_of b) e d else rest] : row.

Theorem at_same a d : (at_ d : row) a = d.
Proof. by rewrite ffunE; case: eqP => // e; rewrite eq_axiomK. Qed.

Theorem at_other a b d : a != b -> (at_ (a := a) d : row) b = rest.
Proof. by rewrite ffunE; case: eqP. Qed.

(* Addresses do not disturb each other. *)
Theorem address_independent (x : record) a d b : a != b -> (x ⊙ at_ (a := a) d : row) b = (x : row) b.
Proof. by move=> ne; rewrite record_accum at_other // accumw0. Qed.

Theorem address_own (x : record) a d : (x ⊙ at_ (a := a) d : row) a = (x : row) a ⊙ d.
Proof. by rewrite record_accum at_same. Qed.

Theorem at_accum a (d e : lane_of a) : at_ d ⊙ at_ e = at_ (d ⊙ e).
Proof.
apply/ffunP => b; rewrite record_accum; case: (a =P b) => [<-|/eqP ne]; first by rewrite !at_same.
by rewrite !at_other // accumw0.
Qed.

(* Every row is the fold of its words: a sparse delta loses nothing. *)
Theorem row_of_words (x : record) : x = \big[@accum record/rest]_(a : A) at_ ((x : row) a).
Proof.
apply/ffunP => b.
have -> : (\big[@accum record/rest]_(a : A) at_ ((x : row) a) : row) b
        = \big[@accum (lane_of b)/rest]_(a : A) (at_ ((x : row) a) : row) b.
  by apply: (big_morph (fun y : record => (y : row) b)) => [y z|]; [exact: record_accum | rewrite ffunE].
rewrite (bigD1 b) //= at_same big1 ?accumw0 // => a ne.
by rewrite at_other.
Qed.

End Table.
