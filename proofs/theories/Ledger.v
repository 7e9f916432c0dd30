(* The ledger of a receiver: which batches it took, in the order it took them.

   A history is what one writer did under one incarnation: a list of seals, each a list of changes
   with the salt of the connection. A label names a history; `label_inj` is the one assumption (no two
   histories share a label) and it is a hypothesis of the section, so every theorem carries it.
   Invariant kept by `fits`: what a ledger holds of an incarnation is the trace of one history. *)
From mathcomp Require Import all_ssreflect.
From ATOMiK Require Import Lanes.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

(* Batches, free of what labels are made of. *)
Section Batch.
Variables (D : lane) (I L : eqType).

(* (incarnation, from, label there, to, label there, delta): covers the changes (from, to]. *)
Record batch := Batch { inc : I; from : nat; past : L; to : nat; here : L; delta : D }.

Definition batch_tuple b := (inc b, from b, past b, to b, here b, delta b).
Definition tuple_batch t : batch :=
  let: (i, f, p, n, l, d) := t in Batch i f p n l d.
Lemma batch_tupleK : cancel batch_tuple tuple_batch. Proof. by case. Qed.
Definition batch_eqMixin := CanEqMixin batch_tupleK.
Canonical batch_eqType := EqType batch batch_eqMixin.

End Batch.

Section Ledger.
Variables (D : lane) (I L S : eqType).

Definition seal := (seq D * S)%type.
Definition history := seq seal.

Variable label : I -> history -> L.
Hypothesis label_inj : forall i, injective (label i).

Notation batch := (batch D I L).
Implicit Types (b : batch) (h : history) (led : seq batch) (i : I).

(* ** Folding *)

Definition fold (ds : seq D) : D := \big[@accum D/rest]_(d <- ds) d.
Definition changes h : seq D := flatten [seq e.1 | e <- h].
Definition bound h : nat := size (changes h).

(* The batch that takes history h one seal further. *)
Definition sealed i h (e : seal) : batch :=
  Batch i (bound h) (label i h) (bound (rcons h e)) (label i (rcons h e)) (fold e.1).

Definition wf b := exists h e, b = sealed (inc b) h e /\ 0 < size e.1.

(* All batches along h, beginning where `h0` ends. *)
Fixpoint trace i h0 h : seq batch :=
  if h is e :: h' then sealed i h0 e :: trace i (rcons h0 e) h' else [::].

(* ** What a ledger says *)

Definition branch i led := [seq b <- led | inc b == i].
Definition root i : nat * L := (0, label i [::]).
Definition head i led : nat * L := last (root i) [seq (to b, here b) | b <- branch i led].
Definition known i led : seq (nat * L) := root i :: [seq (to b, here b) | b <- branch i led].
Definition total led : D := fold [seq delta b | b <- led].

(* The receiver rule: the batch begins where the head stands. *)
Definition fits led b := head (inc b) led == (from b, past b).

Inductive valid : seq batch -> Prop :=
| valid0 : valid [::]
| valid1 led b : valid led -> wf b -> fits led b -> valid (rcons led b).

Lemma foldE ds : fold ds = foldr (@accum D) rest ds.
Proof. by rewrite /fold; elim: ds => [|d ds IH]; rewrite ?big_nil // big_cons IH. Qed.

Lemma fold0 : fold [::] = rest. Proof. exact: big_nil. Qed.
Lemma fold_cons d ds : fold (d :: ds) = d ⊙ fold ds. Proof. exact: big_cons. Qed.
Lemma fold_rcons ds d : fold (rcons ds d) = fold ds ⊙ d.
Proof. by rewrite /fold -cats1 big_cat big_seq1. Qed.
Lemma fold_cat ds es : fold (ds ++ es) = fold ds ⊙ fold es. Proof. exact: big_cat. Qed.
Lemma fold_perm ds es : perm_eq ds es -> fold ds = fold es. Proof. exact: perm_big. Qed.

Lemma total_rcons led b : total (rcons led b) = total led ⊙ delta b.
Proof. by rewrite /total map_rcons fold_rcons. Qed.
Lemma total_cat l1 l2 : total (l1 ++ l2) = total l1 ⊙ total l2.
Proof. by rewrite /total map_cat fold_cat. Qed.
Lemma total_perm l1 l2 : perm_eq l1 l2 -> total l1 = total l2.
Proof. by move=> p; apply: fold_perm; apply: perm_map. Qed.

Lemma branch_rcons i led b : branch i (rcons led b) = if inc b == i then rcons (branch i led) b else branch i led.
Proof. by rewrite /branch filter_rcons. Qed.

Lemma branch_cat i l1 l2 : branch i (l1 ++ l2) = branch i l1 ++ branch i l2.
Proof. exact: filter_cat. Qed.

Lemma head_rcons i led b :
  head i (rcons led b) = if inc b == i then (to b, here b) else head i led.
Proof. by rewrite /head branch_rcons; case: (inc b == i) => //; rewrite map_rcons last_rcons. Qed.

Lemma changes_rcons h e : changes (rcons h e) = changes h ++ e.1.
Proof. by rewrite /changes map_rcons flatten_rcons. Qed.

Lemma bound_rcons h e : bound (rcons h e) = bound h + size e.1.
Proof. by rewrite /bound changes_rcons size_cat. Qed.

Lemma trace_rcons i h0 h e : trace i h0 (rcons h e) = rcons (trace i h0 h) (sealed i (h0 ++ h) e).
Proof.
elim: h h0 => [|e' h IH] h0 /=; first by rewrite cats0.
by rewrite IH cat_rcons.
Qed.

Lemma trace_cat i h0 h1 h2 : trace i h0 (h1 ++ h2) = trace i h0 h1 ++ trace i (h0 ++ h1) h2.
Proof.
elim: h1 h0 => [|e h1 IH] h0 /=; first by rewrite cats0.
by rewrite IH cat_rcons.
Qed.

Lemma trace_head i h0 h x :
  x = (bound h0, label i h0) ->
  last x [seq (to b, here b) | b <- trace i h0 h] = (bound (h0 ++ h), label i (h0 ++ h)).
Proof.
elim: h h0 x => [|e h IH] h0 x -> /=; first by rewrite cats0.
by rewrite (IH (rcons h0 e)) // cat_rcons.
Qed.

Lemma trace_total i h0 h : fold [seq delta b | b <- trace i h0 h] = fold (changes h).
Proof.
elim: h h0 => [|e h IH] h0 //=.
by rewrite fold_cons IH /= -fold_cat.
Qed.

(* A batch's bounds enclose exactly its changes. *)
Theorem batch_covers b : wf b -> exists h e,
  [/\ here b = label (inc b) (rcons h e), to b = from b + size e.1 & delta b = fold e.1].
Proof. by case=> h [e [-> _]]; exists h, e; rewrite /= bound_rcons. Qed.

Theorem batch_nonempty b : wf b -> from b < to b.
Proof. by case=> h [e [-> lt]] /=; rewrite bound_rcons -addn1 leq_add2l. Qed.

Section LabelsDistinct.

(* Two well-formed batches with one label are one batch: this is what a label is for. *)
Lemma wf_here b c : wf b -> wf c -> inc b = inc c -> here b = here c -> b = c.
Proof.
move=> [h [e [-> _]]] [h' [e' [-> _]]] /= -> /label_inj /rcons_inj [-> ->] //.
Qed.

Lemma here_not_root b : wf b -> here b <> label (inc b) [::].
Proof. by move=> [h [e [-> _]]] /= /label_inj; case: h. Qed.

(* What a valid ledger holds of an incarnation is the trace of one history, and the head names it. *)
Theorem head_names_history led : valid led -> forall i, exists h,
  branch i led = trace i [::] h /\ head i led = (bound h, label i h).
Proof.
elim=> [|{}led b _ IH wfb fitb] i; first by exists [::].
have [h [E F]] := IH i; rewrite branch_rcons head_rcons; case: eqP => [bi|_]; last by exists h.
case: wfb => h' [e [Eb pos]]; rewrite bi in Eb; move: fitb; rewrite /fits bi F {}Eb /=.
by move=> /eqP [_ /label_inj <-]; exists (rcons h e); rewrite trace_rcons E.
Qed.

Lemma trace_inj_head i h1 h2 : label i h1 = label i h2 -> trace i [::] h1 = trace i [::] h2.
Proof. by move=> /label_inj ->. Qed.

Lemma count_branch b led : count_mem b led = count_mem b (branch (inc b) led).
Proof.
rewrite /branch count_filter; apply: eq_count => c /=.
by case: eqP => //= ->; rewrite eqxx.
Qed.

(* Same heads: the same batches, each as often. *)
Theorem same_heads_same_batches l1 l2 :
  valid l1 -> valid l2 -> (forall i, head i l1 = head i l2) -> perm_eq l1 l2.
Proof.
move=> v1 v2 heq; apply/allP => b _ /=; rewrite [count_mem b l1]count_branch [count_mem b l2]count_branch.
have [h1 [E1 F1]] := head_names_history v1 (inc b); have [h2 [E2 F2]] := head_names_history v2 (inc b).
by move: (heq (inc b)); rewrite F1 F2 E1 E2 => -[_ /label_inj ->].
Qed.

(* Same heads, same state: strong convergence, in its smallest form. *)
Theorem same_heads_same_total l1 l2 :
  valid l1 -> valid l2 -> (forall i, head i l1 = head i l2) -> total l1 = total l2.
Proof. by move=> v1 v2 /(same_heads_same_batches v1 v2); exact: total_perm. Qed.

Lemma trace_here_size i h0 h b : b \in trace i h0 h ->
  exists h1 h2, h = h1 ++ h2 /\ here b = label i (h0 ++ h1) /\ to b = bound (h0 ++ h1) /\ 0 < size h1.
Proof.
elim: h h0 => [|e h IH] h0 //=; rewrite inE => /orP [/eqP -> | /IH [h1 [h2 [-> [-> [-> _]]]]]].
  by exists [:: e], h; rewrite cats1.
by exists (e :: h1), h2; rewrite cat_rcons.
Qed.

Lemma trace_uniq i h0 h : uniq (trace i h0 h).
Proof.
elim: h h0 => [|e h IH] h0 //=; rewrite IH andbT; apply/negP => /trace_here_size.
move=> [h1 [h2 [_ [/= /label_inj E [_ pos]]]]]; move: (congr1 size E).
by rewrite size_cat size_rcons => /eqP; rewrite -[X in X == _]addn0 eqn_add2l eq_sym eqn0Ngt pos.
Qed.

(* No batch is taken twice. *)
Theorem valid_uniq led : valid led -> uniq led.
Proof.
move=> v; apply/(@count_mem_uniq _ led) => b; rewrite count_branch.
have [h [E _]] := head_names_history v (inc b).
rewrite E count_uniq_mem ?trace_uniq // -E mem_filter eqxx /=; done.
Qed.

(* The state of a receiver is the fold of exactly the changes its heads name. *)
Theorem total_names_changes led (js : seq I) (H : I -> history) :
  valid led -> uniq js -> (forall b, b \in led -> inc b \in js) ->
  (forall i, head i led = (bound (H i), label i (H i))) ->
  total led = \big[@accum D/rest]_(i <- js) fold (changes (H i)).
Proof.
move=> v ujs cover names.
have -> : total led = \big[@accum D/rest]_(i <- js) total (branch i led).
  rewrite /total /fold; elim: led cover {v names} => [|b led IH] cover.
    by rewrite big_nil big1_seq // => i _; rewrite /branch /= big_nil.
  rewrite map_cons big_cons IH; last by move=> c cl; apply: cover; rewrite inE cl orbT.
  have bi : inc b \in js by apply: cover; rewrite inE eqxx.
  rewrite (bigD1_seq _ bi ujs) /= [RHS](bigD1_seq _ bi ujs) /= accumA.
  congr (_ ⊙ _); first by rewrite /branch /= eqxx map_cons big_cons.
  by apply: eq_bigr => i; rewrite /branch /= eq_sym => /negbTE ->.
apply: eq_bigr => i _; have [h [E F]] := head_names_history v i.
by rewrite /total E trace_total; move: (names i); rewrite F => -[_ /label_inj ->].
Qed.

(* ** Repeats and forks *)

Lemma valid_wf led : valid led -> forall b, b \in led -> wf b.
Proof.
elim=> [|{}led c _ IH wfc _] b //; rewrite mem_rcons inE => /orP [/eqP -> //|]; exact: IH.
Qed.

(* Bounds of one incarnation rise strictly along a ledger. *)
Lemma valid_to led : valid led -> forall b, b \in led -> to b <= (head (inc b) led).1.
Proof.
elim=> [|{}led c _ IH wfc fitc] b //; rewrite mem_rcons inE head_rcons.
case/orP => [/eqP -> | bl]; first by rewrite eqxx.
case: eqP => [E|_]; last exact: IH.
apply: leq_trans (IH _ bl) _; move: fitc; rewrite -E /fits => /eqP -> /=.
exact: ltnW (batch_nonempty wfc).
Qed.

(* A batch already in the ledger never fits again: a repeat cannot be applied. *)
Theorem repeat_never_fits led b : valid led -> b \in led -> ~~ fits led b.
Proof.
move=> v bl; apply/negP => /eqP E; move: (valid_to v bl); rewrite E /= leqNgt.
by rewrite batch_nonempty //; apply: valid_wf bl.
Qed.

(* A known number with another label is a fork: it can never be taken later either. *)
Lemma valid_catl l1 l2 : valid (l1 ++ l2) -> valid l1.
Proof.
elim/last_ind: l2 => [|l2 b IH]; first by rewrite cats0.
rewrite -rcons_cat => v; apply: IH; move E: (rcons _ _) v => l v.
by case: v E => [|led c v _ _ /rcons_inj [-> _]] //; case: (l1 ++ l2).
Qed.

Lemma valid_rconsE led b : valid (rcons led b) -> [/\ valid led, wf b & fits led b].
Proof.
move E: (rcons _ _) => l v; case: v E => [|l' c v wfc fitc /rcons_inj [-> ->] //].
by case: led.
Qed.

(* Continued differently: the ledger knows the place where b begins, went on from there, and b is not how. *)
Definition blocked led b :=
  [&& b \notin led, (from b, past b) \in known (inc b) led & (head (inc b) led != (from b, past b))].

Lemma head_known i led : head i led \in known i led.
Proof. by rewrite /head /known; exact: mem_last. Qed.

Lemma known_rcons i led b x : x \in known i led -> x \in known i (rcons led b).
Proof.
rewrite /known branch_rcons; case: (inc b == i) => //.
by rewrite map_rcons -rcons_cons mem_rcons inE orbC => ->.
Qed.

Lemma known_le led i x : valid led -> x \in known i led -> x.1 <= (head i led).1.
Proof.
move=> v; rewrite /known inE => /orP [/eqP -> //|/mapP [b]].
by rewrite mem_filter => /andP [/eqP <- bl] ->; exact: valid_to.
Qed.

Lemma known_inj led i x y : valid led -> x \in known i led -> y \in known i led -> x.1 = y.1 -> x = y.
Proof.
move=> v; elim: v x y => [|{}led b v IH wfb fitb] x y.
  by rewrite /known /= !inE => /eqP -> /eqP ->.
have: forall z, z \in known i (rcons led b) -> (inc b = i /\ z = (to b, here b)) \/ z \in known i led.
  move=> z; rewrite /known branch_rcons; case: eqP => [bi|_]; last by right.
  by rewrite map_rcons -rcons_cons mem_rcons inE => /orP [/eqP|]; [left|right].
have low z : inc b = i -> z \in known i led -> z.1 < to b.
  move=> bi /(known_le v); move: fitb; rewrite /fits bi => /eqP -> /= le.
  exact: leq_ltn_trans le (batch_nonempty wfb).
move=> sp /sp xS /sp yS e; case: xS yS => [[bi xE]|xk] [[bi' yE]|yk].
- by rewrite xE yE.
- by move: (low _ bi yk); rewrite -e xE /= ltnn.
- by move: (low _ bi' xk); rewrite e yE /= ltnn.
- exact: IH.
Qed.

Theorem blocked_rcons led b c : valid (rcons led c) -> wf b -> blocked led b -> blocked (rcons led c) b.
Proof.
move=> vc wfb /and3P [nb kb hb]; have [v wfc fitc] := valid_rconsE vc.
apply/and3P; split.
- rewrite mem_rcons inE negb_or nb andbT; apply: contra hb => /eqP ->; exact: fitc.
- exact: known_rcons.
- apply: contra hb; rewrite head_rcons; case: (inc c =P inc b) => [E|//] /eqP hE.
  have lt: to c <= (head (inc b) led).1.
    by move: (known_le v kb); rewrite -hE.
  by move: fitc; rewrite /fits E => /eqP F; move: lt; rewrite F /= leqNgt batch_nonempty.
Qed.

Theorem blocked_for_ever led l2 b : valid (led ++ l2) -> wf b -> blocked led b -> b \notin led ++ l2.
Proof.
move=> v wfb bl; suff: blocked (led ++ l2) b by case/and3P.
elim/last_ind: l2 v => [|l2 c IH]; first by rewrite cats0.
by rewrite -rcons_cat => vc; apply: blocked_rcons => //; apply: IH; case: (valid_rconsE vc).
Qed.

(* Where b's beginning is known there are exactly three cases: taken, next, or a fork. *)
Theorem receiver_cases led b : (from b, past b) \in known (inc b) led ->
  [|| b \in led, fits led b | blocked led b].
Proof. by rewrite /fits /blocked => ->; case: (b \in led) => //=; case: eqP. Qed.

(* Two batches that begin at one place cannot both be taken. *)
Theorem no_two_branches led b c : valid led -> inc b = inc c -> from b = from c -> past b = past c ->
  b \in led -> c \in led -> b = c.
Proof.
elim=> [|{}led e v IH wfe fite] // ei ef ep; rewrite !mem_rcons !inE.
have no x y : inc x = inc y -> from x = from y -> past x = past y -> x \in led -> y = e -> False.
  move=> xi xf xp xl ye; move: fite; rewrite /fits -ye -xi -xf -xp => /eqP E.
  have := valid_to v xl; rewrite E /= leqNgt batch_nonempty //; exact: valid_wf xl.
move=> /orP [/eqP be|bl] /orP [/eqP ce|cl]; first by rewrite be ce.
- by case: (no c b) => //.
- by case: (no b c).
- exact: IH.
Qed.

End LabelsDistinct.
End Ledger.
